/**
 * Never returns. It waits instead of looping, since Deno 2.9 cannot stop an endless loop in another
 * thread, which would take a core from all later tests
 * (https://github.com/denoland/deno/pull/35657).
 */
export function hang(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}
