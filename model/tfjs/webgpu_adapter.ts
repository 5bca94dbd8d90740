/** The adapter on which Deno's WebGPU computes: https://www.w3.org/TR/webgpu/#gpuadapterinfo */

/** An adapter. */
export interface WebgpuAdapter {
  readonly name: string;
  /** It is a driver in software, which computes on the CPU. */
  readonly inSoftware: boolean;
}

/**
 * Asks for the adapter that TensorFlow.js takes: the fastest.
 *
 * @throws {Error} when there is none, and what to do
 */
export async function webgpuAdapter(): Promise<WebgpuAdapter> {
  const adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) {
    throw new Error(
      "WebGPU finds no graphics card; install the card's driver (Linux: its Vulkan driver; see " +
        "docs/gpu.md)",
    );
  }
  const { description, vendor, device, isFallbackAdapter } = adapter.info;
  return { name: description || `${vendor} ${device}`, inSoftware: isFallbackAdapter };
}
