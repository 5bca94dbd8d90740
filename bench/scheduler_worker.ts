/** A model worker with one of the bench's policies: the name behind its address's `?`. */
import { runThread } from "../inference/worker/model_thread.ts";
import { POLICIES, type PolicyName } from "./scheduler_policies.ts";

runThread(POLICIES[decodeURIComponent(new URL(import.meta.url).search.slice(1)) as PolicyName]);
