/** Debian's Chromium with a recording as its microphone. */
import type { Browser, BrowserContextOptions, Page } from "playwright-core";

const CHROMIUM = "/usr/bin/chromium";

/** Why browser tests cannot run here; undefined when they can. */
export function whyNoBrowser(): string | undefined {
  try {
    Deno.statSync(CHROMIUM);
  } catch {
    return `${CHROMIUM} is not installed`;
  }
  try {
    // playwright does, and Deno allows it only with all permissions
    Deno.readTextFileSync("/proc/self/status");
  } catch {
    return "playwright needs all permissions: run " +
      "deno test --allow-all tests/web/page_test.ts, as .ci/run does";
  }
}

/** A page that is watched. */
export interface WatchedPage {
  readonly page: Page;
  /** Console errors, page errors, and requests to another origin, so far. */
  readonly faults: string[];
}

/** A browser for a test. */
export class TestBrowser {
  readonly #browser: Browser;

  private constructor(browser: Browser) {
    this.#browser = browser;
  }

  /**
   * Starts it. @param options `microphone`: a WAV file; `allowed`: whether the microphone may be
   * used; `webgpu`: whether it has WebGPU, computed in software
   */
  static async start(
    { microphone, allowed = true, webgpu = false }: {
      microphone?: string;
      allowed?: boolean;
      webgpu?: boolean;
    } = {},
  ): Promise<TestBrowser> {
    const { chromium } = await import("playwright-core");
    const args = [
      "--no-sandbox",
      ...(webgpu
        ? ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"]
        : ["--disable-gpu"]),
      "--disable-background-networking",
      "--autoplay-policy=no-user-gesture-required",
      "--use-fake-device-for-media-stream",
      ...(allowed ? ["--use-fake-ui-for-media-stream"] : ["--deny-permission-prompts"]),
      ...(microphone ? [`--use-file-for-fake-audio-capture=${microphone}%noloop`] : []),
    ];
    return new TestBrowser(
      await chromium.launch({ executablePath: CHROMIUM, headless: true, args }),
    );
  }

  /** Opens a page of an origin and watches it. */
  async open(url: string, options: BrowserContextOptions = {}): Promise<WatchedPage> {
    const context = await this.#browser.newContext({
      viewport: { width: 1180, height: 900 },
      ...options,
    });
    const page = await context.newPage();
    const faults: string[] = [];
    const { origin } = new URL(url);
    page.on("console", (message) => {
      if (message.type() === "error") faults.push(`console: ${message.text()}`);
    });
    page.on("pageerror", (error) => faults.push(`page: ${error.message}`));
    page.on("request", (request) => {
      if (!/^(data|blob):/.test(request.url()) && new URL(request.url()).origin !== origin) {
        faults.push(`asked ${request.url()}`);
      }
    });
    await page.goto(url);
    return { page, faults };
  }

  async close(): Promise<void> {
    await this.#browser.close();
  }
}
