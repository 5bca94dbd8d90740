/** The entry point of a model worker's thread. */
import { runThread } from "./model_thread.ts";

runThread();
