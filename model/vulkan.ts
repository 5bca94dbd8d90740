/** The Vulkan devices on which WebGPU computes under Linux: https://registry.khronos.org/vulkan/ */

/** A device that a Vulkan driver offers. */
export interface VulkanDevice {
  readonly name: string;
  /** `cpu` is a software driver. */
  readonly type: typeof DEVICE_TYPES[number];
}

const DEVICE_TYPES = ["other", "integrated", "discrete", "virtual", "cpu"] as const;
const LIBRARY = "libvulkan.so.1";
/** VkInstanceCreateInfo: the structure's type in the first field, all else zero. */
const INSTANCE_CREATE_INFO = new BigUint64Array([1n, 0n, 0n, 0n, 0n, 0n, 0n, 0n]);
/**
 * VkPhysicalDeviceProperties: larger than needed, with the places where its type and its name
 * begin.
 */
const PROPERTIES_BYTES = 4096;
const TYPE_AT = 16;
const NAME_AT = 20;

/**
 * Lists the devices, on Linux. Needs `--allow-ffi`.
 *
 * @throws {Error} when there is no Vulkan loader or it finds no driver
 */
export function vulkanDevices(): VulkanDevice[] {
  const library = openLoader();
  try {
    return devicesOf(library.symbols);
  } finally {
    library.close();
  }
}

function devicesOf(vulkan: ReturnType<typeof openLoader>["symbols"]): VulkanDevice[] {
  const instance = new BigUint64Array(1);
  const status = vulkan.vkCreateInstance(INSTANCE_CREATE_INFO, null, instance);
  if (status !== 0) throw new Error(`Vulkan finds no driver (vkCreateInstance returned ${status})`);
  const count = new Uint32Array(1);
  vulkan.vkEnumeratePhysicalDevices(instance[0]!, count, null);
  const handles = new BigUint64Array(count[0]);
  vulkan.vkEnumeratePhysicalDevices(instance[0]!, count, handles);
  const devices = Array.from(handles, (handle) => {
    const properties = new Uint8Array(PROPERTIES_BYTES);
    vulkan.vkGetPhysicalDeviceProperties(handle, properties);
    const type = DEVICE_TYPES[new DataView(properties.buffer).getUint32(TYPE_AT, true)] ?? "other";
    return {
      name: new TextDecoder().decode(properties.subarray(NAME_AT, properties.indexOf(0, NAME_AT))),
      type,
    };
  });
  vulkan.vkDestroyInstance(instance[0]!, null);
  return devices;
}

function openLoader() {
  try {
    return Deno.dlopen(LIBRARY, {
      vkCreateInstance: { parameters: ["buffer", "pointer", "buffer"], result: "i32" },
      vkEnumeratePhysicalDevices: { parameters: ["u64", "buffer", "buffer"], result: "i32" },
      vkGetPhysicalDeviceProperties: { parameters: ["u64", "buffer"], result: "void" },
      vkDestroyInstance: { parameters: ["u64", "pointer"], result: "void" },
    });
  } catch {
    throw new Error(
      `no Vulkan here (${LIBRARY} does not load; Debian and Ubuntu: apt install libvulkan1)`,
    );
  }
}
