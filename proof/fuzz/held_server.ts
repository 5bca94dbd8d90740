/** A test's server that stays between the calls of a fuzzer. */

/** A server, until it is closed. */
export interface Held<Server> {
  readonly server: Server;
  close(): Promise<void>;
}

/**
 * Starts a server that would end with the function it is given to.
 *
 * @param withServer runs a function with the server
 */
export async function held<Server>(
  withServer: (use: (server: Server) => Promise<void>) => Promise<void>,
): Promise<Held<Server>> {
  const ready = Promise.withResolvers<Server>();
  const over = Promise.withResolvers<void>();
  const ended = withServer((server) => {
    ready.resolve(server);
    return over.promise;
  });
  return {
    server: await Promise.race([ready.promise, ended.then(() => ready.promise)]),
    async close() {
      over.resolve();
      await ended;
    },
  };
}
