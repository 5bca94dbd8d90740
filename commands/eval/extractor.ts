/** Computes features of recordings with the server's engine, in the same steps. */
import { joinChunks } from "../../audio/rechunk.ts";
import type { ComputeSettings } from "../../config/settings.ts";
import { workersOf } from "../../config/workers.ts";
import { modelDims, type Weights } from "../../model/weights.ts";
import { embedAudio } from "../../recordings/embed_audio.ts";
import type { Want } from "../../inference/messages.ts";
import { EnginePool } from "../../inference/pool.ts";
import { allSteps, NOTHING } from "../../inference/want.ts";
import type { Extractor } from "../../evaluation/listen.ts";
import type { Predicted } from "../../evaluation/prediction.ts";
import type { Rows } from "../../evaluation/features/rows.ts";
import { digestOf } from "../digest.ts";

/** Recordings that a worker takes at once. */
const CLIPS_PER_WORKER = 32;

/** Extracts features with a model; its systems are `ID context` and `ID latent`. */
export class ModelExtractor implements Extractor {
  readonly key: string;
  readonly systems: readonly string[];
  readonly concurrency: number;
  readonly #pool: EnginePool;
  readonly #dims: ReturnType<typeof modelDims>;

  private constructor(
    pool: EnginePool,
    { weights, config }: { weights: Weights; config: ComputeSettings },
  ) {
    this.#pool = pool;
    this.#dims = modelDims(weights.config);
    this.key = `${config.engine} ${config.precision} ${digestOf(weights)}`;
    this.systems = [`${weights.id} context`, `${weights.id} latent`];
    this.concurrency = CLIPS_PER_WORKER * pool.size;
  }

  /** Starts the engines. */
  static async start(weights: Weights, config: ComputeSettings): Promise<ModelExtractor> {
    const { engine, device, precision } = config;
    const workers = workersOf(config);
    const pool = await EnginePool.start({
      engine,
      device,
      precision,
      workers,
      models: [weights],
      maxStreams: CLIPS_PER_WORKER * workers,
    });
    return new ModelExtractor(pool, { weights, config });
  }

  /** Prediction steps K. */
  get steps(): number {
    return this.#dims.steps;
  }

  embed(samples: Float32Array<ArrayBuffer>): Promise<Rows[]> {
    const want = { ...NOTHING, context: true, latent: true };
    return this.#stream(samples, { want, widths: [this.#dims.context, this.#dims.latent] });
  }

  /** Latents, and predictions of all steps. */
  async predict(samples: Float32Array<ArrayBuffer>): Promise<Predicted> {
    const { latent, steps } = this.#dims;
    const want = {
      ...NOTHING,
      latent: true,
      prediction: allSteps(this.#dims),
    };
    const [z, predictions] = await this.#stream(samples, {
      want,
      widths: [latent, steps * latent],
    });
    return { frames: z!.frames, latent: z!.data, predictions: predictions!.data }; // one each
  }

  close(): Promise<void> {
    return this.#pool.close();
  }

  /** The wanted outputs of a recording, with these widths. */
  async #stream(
    samples: Float32Array<ArrayBuffer>,
    { want, widths }: { want: Want; widths: readonly number[] },
  ): Promise<Rows[]> {
    const outputs = widths.map((width): { width: number; pieces: Float32Array[] } => ({
      width,
      pieces: [],
    }));
    let frames = 0;
    async function* source() {
      yield samples.slice(); // transferred to the worker
    }
    for await (
      const { count, data } of embedAudio(this.#pool, source(), {
        model: this.#pool.defaultModel,
        want,
      })
    ) {
      let at = 0;
      for (const { width, pieces } of outputs) pieces.push(data.slice(at, at += count * width));
      frames += count;
    }
    return outputs.map(({ width, pieces }) => ({ frames, width, data: joinChunks(pieces) }));
  }
}
