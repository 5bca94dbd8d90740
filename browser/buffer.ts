/** In place of `node:buffer`: the one call of it that streams make. */
export const Buffer = {
  allocUnsafe: (length: number): Uint8Array<ArrayBuffer> => new Uint8Array(length),
};
