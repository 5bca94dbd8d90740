/**
 * The engine of a page: a worker with one model, and a port for each of the page's streams.
 * `client/local.ts` starts it.
 */
import type {
  FromEngine,
  FromStream,
  LocalDevice,
  ToEngine,
  ToStream,
} from "../client/engine_messages.ts";
import { CpcError, toCpcError } from "../errors.ts";
import { warmUp } from "../inference/worker/warm_up.ts";
import { OnnxEngine } from "../model/engines/onnx.ts";
import { OnnxHead } from "../model/engines/onnx_head.ts";
import { modelDims } from "../model/weights.ts";
import { LocalConnection, type LocalWire } from "./local_connection.ts";
import { fetchModel, type LocalModel } from "./local_model.ts";
import { LocalStreams } from "./local_streams.ts";

declare const self: {
  readonly name: string;
  onmessage: ((event: MessageEvent<ToEngine>) => void) | null;
  postMessage(message: FromEngine): void;
};

interface Loaded {
  readonly model: LocalModel;
  readonly streams: LocalStreams;
}

let loading: Promise<Loaded> | undefined;

self.onmessage = ({ data: message, ports: [port] }) => {
  if (message.type === "load") void begin(message);
  else if (port) void open(message, port);
};

async function begin(message: Extract<ToEngine, { type: "load" }>): Promise<void> {
  try {
    await (loading = load(message));
    self.postMessage({ type: "loaded" });
  } catch (thrown) {
    const error = toCpcError(thrown);
    const { code, message, cause } = error;
    const why = code === "internal" ? `the engine cannot start: ${cause}` : message;
    self.postMessage({ type: "failed", code, message: why });
  }
}

async function load(
  { model: url, key, device }: Extract<ToEngine, { type: "load" }>,
): Promise<Loaded> {
  await checkDevice(device);
  const model = await fetchModel(url, { key });
  const { weights } = model;
  const engine = await OnnxEngine.create(weights, {
    device: device === "wasm" ? "cpu" : device,
    precision: "fp32",
    threads: 1,
    startQuickly: true,
  });
  await warmUp(engine);
  const dims = modelDims(weights.config);
  const heads = new Map<string, OnnxHead>();
  for (const file of weights.heads ?? []) {
    heads.set(file.name, await OnnxHead.create(file, { dims }));
  }
  return { model, streams: new LocalStreams(weights.id, { engine, heads, turn }) };
}

/** @throws {CpcError} `invalid_option` if the browser has no usable graphics card */
async function checkDevice(device: LocalDevice): Promise<void> {
  if (device !== "webgpu" || await navigator.gpu?.requestAdapter()) return;
  const why = "option device: this browser has no WebGPU, or finds no usable graphics card";
  throw new CpcError("invalid_option", why, { param: "device" });
}

/** Connects a port and a stream: as a socket on a server. */
async function open(
  { query, state }: Extract<ToEngine, { type: "open" }>,
  port: MessagePort,
): Promise<void> {
  const post = (message: FromStream, transfer: Transferable[] = []) =>
    port.postMessage(message, transfer);
  const loaded = await loading;
  if (!loaded) throw new CpcError("loading", "a stream was opened before its model");
  const wire: LocalWire = {
    send(data) {
      if (typeof data === "string") return post(data);
      const frame = memoryOf(data);
      post(frame, [frame]);
    },
    close: (code, reason) => post({ type: "close", code, reason }),
  };
  const connection = new LocalConnection(wire, loaded);
  connection.start(query, state);
  port.onmessage = ({ data }: MessageEvent<ToStream>) => {
    if (typeof data === "string" || data instanceof Uint8Array) connection.receive(data);
    else if (data.type === "save") connection.save((state) => post({ type: "saved", state }));
    else {
      connection.end();
      port.close();
    }
  };
}

/** A binary frame in memory that holds nothing else. */
function memoryOf(frame: Uint8Array): ArrayBuffer {
  const { buffer } = frame;
  const isOwn = buffer instanceof ArrayBuffer && buffer.byteLength === frame.byteLength;
  return isOwn ? buffer : new Uint8Array(frame).buffer;
}

const turns = new MessageChannel();
let resolveTurn = () => {};
turns.port1.onmessage = () => resolveTurn();

/** Resolves once the messages that wait have been heard. A timer would wait 4 ms: several steps. */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    resolveTurn = resolve;
    turns.port2.postMessage(undefined);
  });
}
