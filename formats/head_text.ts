/** Arrays and rows of heads as JSON. */

/** What there is to know of a row: its outputs, one after the other. */
export interface HeadOutputs {
  readonly outputs: readonly { readonly name: string; readonly shape: readonly number[] }[];
}

/** A row as an object: each output's numbers by its name. */
export function rowText(
  row: Float32Array,
  { spec, formatRow }: {
    spec: HeadOutputs;
    formatRow: (row: Float32Array) => string;
  },
): string {
  let at = 0;
  const outputs = spec.outputs.map(({ name, shape }) =>
    `"${name}":${
      nestedText(row.subarray(at, at += shape.reduce((a, b) => a * b, 1)), { shape, formatRow })
    }`
  );
  return `{${outputs.join()}}`;
}

/** An array as nested lists of its shape. */
export function nestedText(
  values: Float32Array,
  { shape, formatRow }: {
    shape: readonly number[];
    formatRow: (row: Float32Array) => string;
  },
): string {
  const [size = 1, ...inner] = shape;
  if (inner.length === 0) return formatRow(values);
  const width = values.length / size;
  const parts = Array.from(
    { length: size },
    (_, i) => nestedText(values.subarray(i * width, (i + 1) * width), { shape: inner, formatRow }),
  );
  return `[${parts.join()}]`;
}
