/** The choice of microphones for two speakers. */
import { byId } from "../dom.ts";

export class MicrophonesPanel {
  readonly #field = byId("microphones", HTMLFieldSetElement);
  readonly #first = byId("speaker-1", HTMLSelectElement);
  readonly #second = byId("speaker-2", HTMLSelectElement);

  /** @param complains shows why there are no microphones */
  constructor(complains: (error: unknown) => void) {
    byId("find-microphones", HTMLButtonElement).onclick = () => void this.#find().catch(complains);
    this.#offer([]);
    navigator.mediaDevices?.addEventListener("devicechange", () => void this.list());
  }

  /** The browser's ids, `""` for its own choice: one device with two channels, or two devices. */
  get devices(): string[] {
    const [first, second] = [this.#first.value, this.#second.value];
    return second === "" || second === first ? [first] : [first, second];
  }

  show(isShown: boolean, { isLive }: { isLive: boolean }): void {
    this.#field.hidden = !isShown;
    this.#field.disabled = isLive;
  }

  /** Lists what the browser tells; it names microphones only once one has been allowed. */
  async list(): Promise<void> {
    const devices = await navigator.mediaDevices?.enumerateDevices() ?? [];
    this.#offer(devices.filter(({ kind, deviceId }) => kind === "audioinput" && deviceId !== ""));
  }

  async #find(): Promise<void> {
    if (!navigator.mediaDevices) {
      throw new DOMException("no microphone without a secure context", "SecurityError");
    }
    const media = await navigator.mediaDevices.getUserMedia({ audio: true });
    for (const track of media.getTracks()) track.stop();
    await this.list();
  }

  #offer(devices: readonly MediaDeviceInfo[]): void {
    for (
      const [select, otherwise] of [
        [this.#first, "the browser's choice"],
        [this.#second, "speaker 1's, its second channel"],
      ] as const
    ) {
      const { value } = select;
      select.replaceChildren(
        new Option(otherwise, ""),
        ...devices.map(({ label, deviceId }, i) =>
          new Option(label || `microphone ${i + 1}`, deviceId)
        ),
      );
      select.value = devices.some(({ deviceId }) => deviceId === value) ? value : "";
    }
  }
}
