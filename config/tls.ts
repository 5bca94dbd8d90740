/** The certificate of a server that serves TLS itself. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { UsageError } from "../errors.ts";
import type { NamedFile } from "./kinds.ts";

/** A certificate and its private key, both PEM texts. */
export interface Tls {
  readonly cert: string;
  readonly key: string;
}

/**
 * Reads and checks certificate and key.
 *
 * @returns undefined when neither is given
 * @throws {UsageError} if one is missing or malformed, or they do not match
 */
export function tlsOf(
  { tlsCert, tlsKey }: { tlsCert?: NamedFile; tlsKey?: NamedFile },
): Tls | undefined {
  if (!tlsCert && !tlsKey) return undefined;
  if (!tlsCert || !tlsKey) throw new UsageError("--tls-cert and --tls-key require each other");
  const [cert, key] = [tlsCert.text(), tlsKey.text()];
  const certificate = checked(
    "--tls-cert takes a certificate",
    () => new X509Certificate(cert),
  );
  const privateKey = checked(
    "--tls-key takes a private key without a passphrase",
    () => createPrivateKey(key),
  );
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new UsageError("--tls-key is not the key of the certificate in --tls-cert");
  }
  return { cert, key };
}

function checked<T>(what: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new UsageError(`${what} in PEM: ${(error as Error).message}`);
  }
}
