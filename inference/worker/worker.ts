/** The entry of a model worker: what the pool starts a thread with. */
import { runThread } from "./model_thread.ts";

runThread();
