/**
 * Asks NVIDIA's driver directly: CUDA builds are large, and one that finds no card should not be
 * loaded at all.
 */

/** The driver and its cards. */
export interface NvidiaDriver {
  /** The newest CUDA that it supports, such as `13.0`. */
  readonly cuda: string;
  /** Names of the cards, at least one. */
  readonly cards: readonly string[];
}

const NAME_BYTES = 256;

/**
 * Asks the driver for its cards. Needs `--allow-ffi`. The library stays loaded, since it cannot be
 * unloaded safely once it runs.
 *
 * @throws {Error} when there is no driver, or no card that it can use
 */
export function nvidiaDriver(): NvidiaDriver {
  const file = Deno.build.os === "windows" ? "nvcuda.dll" : "libcuda.so.1";
  const driver = openDriver(file);
  const status = driver.cuInit(0);
  if (status !== 0) {
    throw new Error(`the NVIDIA driver finds no card that it can use (cuInit returned ${status})`);
  }
  const number = new Int32Array(1);
  driver.cuDriverGetVersion(number);
  const cuda = `${Math.floor(number[0]! / 1000)}.${number[0]! % 1000 / 10}`;
  number[0] = 0;
  driver.cuDeviceGetCount(number);
  if (number[0] === 0) throw new Error("the NVIDIA driver has no card");
  const cards = Array.from({ length: number[0] }, (_, i) => {
    const [device, name] = [new Int32Array(1), new Uint8Array(NAME_BYTES)];
    driver.cuDeviceGet(device, i);
    driver.cuDeviceGetName(name, NAME_BYTES, device[0]!);
    return new TextDecoder().decode(name.subarray(0, name.indexOf(0)));
  });
  return { cuda, cards };
}

function openDriver(file: string) {
  try {
    return Deno.dlopen(file, {
      cuInit: { parameters: ["u32"], result: "i32" },
      cuDriverGetVersion: { parameters: ["buffer"], result: "i32" },
      cuDeviceGetCount: { parameters: ["buffer"], result: "i32" },
      cuDeviceGet: { parameters: ["buffer", "i32"], result: "i32" },
      cuDeviceGetName: { parameters: ["buffer", "i32", "i32"], result: "i32" },
    }).symbols;
  } catch {
    throw new Error(`no NVIDIA driver here (${file} does not load)`);
  }
}
