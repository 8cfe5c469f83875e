// Bearer token → client, by the keys of a JWK Set (RFC 7517), with Node's own cryptography.
//
// What is needed of RFC 7515 and 7519 is little. The usual library, `jose`, verifies through promises, and takes five
// times as long for it.

import { constants, createHmac, createPublicKey, timingSafeEqual, verify } from 'node:crypto';

import { Refusal } from './refusal.mjs';

// How far the clocks of issuer and function may be apart, in seconds.
const CLOCK_LEEWAY = 30;

const PSS = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
// RFC 7518, 3.1, and RFC 8037: the digest, and how the key is used.
const ALGORITHMS = {
  HS256: { hmac: 'sha256' }, HS384: { hmac: 'sha384' }, HS512: { hmac: 'sha512' },
  RS256: { digest: 'sha256' }, RS384: { digest: 'sha384' }, RS512: { digest: 'sha512' },
  PS256: { digest: 'sha256', ...PSS }, PS384: { digest: 'sha384', ...PSS }, PS512: { digest: 'sha512', ...PSS },
  ES256: { digest: 'sha256', dsaEncoding: 'ieee-p1363' }, ES384: { digest: 'sha384', dsaEncoding: 'ieee-p1363' },
  EdDSA: {},
};

/** What tells the client of an `Authorization` header, for these keys and expectations. */
export function authenticator({ jwks, issuer, audience, clientClaim }) {
  const keys = new Map();
  for (const jwk of JSON.parse(jwks).keys) {
    if (jwk.use === 'enc') continue;
    const algorithm = ALGORITHMS[jwk.alg];
    if (!algorithm) throw new Error('JWKS: expected an "alg" that signs, found another');
    keys.set(jwk.kid, { name: jwk.alg, check: checker(jwk, algorithm) });
  }
  const only = keys.size === 1 ? [...keys.values()][0] : undefined;

  function client(authorization) {
    const [scheme, token] = split(authorization, ' ') ?? fail('no bearer token');
    if (scheme.toLowerCase() !== 'bearer') fail('another scheme than bearer');
    const [head, body, signature, ...more] = token.trim().split('.');
    if (!signature || more.length > 0) fail('not three parts');
    const header = decode(head);
    if (header.crit !== undefined) fail('header: crit');
    const key = (header.kid === undefined ? only : keys.get(header.kid)) ?? fail('header: kid names no key');
    if (header.alg !== key.name) fail('another algorithm');
    if (!key.check(`${head}.${body}`, Buffer.from(signature, 'base64url'))) fail('another signature');
    const claims = decode(body);
    const now = Date.now() / 1000;
    if (typeof claims.exp !== 'number' || claims.exp < now - CLOCK_LEEWAY) fail('expired, or without exp');
    if (claims.nbf !== undefined && !(claims.nbf <= now + CLOCK_LEEWAY)) fail('not yet valid');
    if (issuer && claims.iss !== issuer) fail('another issuer');
    if (audience && ![claims.aud].flat().includes(audience)) fail('another audience');
    const name = claims[clientClaim];
    if (typeof name !== 'string' || !/^[!-~]{1,128}$/.test(name)) fail('no or malformed client claim');
    return name;
  }

  return (authorization) => {
    if (authorization === undefined) {
      const sentence = 'expected an Authorization header with a bearer token, found none';
      throw new Refusal(401, 'MISSING_TOKEN', sentence, { headers: { 'WWW-Authenticate': 'Bearer' } });
    }
    return client(authorization);
  };
}

function checker(jwk, { hmac, digest, ...options }) {
  if (hmac) {
    const secret = Buffer.from(jwk.k, 'base64url');
    return (text, signature) => {
      const expected = createHmac(hmac, secret).update(text).digest();
      return expected.length === signature.length && timingSafeEqual(expected, signature);
    };
  }
  const key = { key: createPublicKey({ key: jwk, format: 'jwk' }), ...options };
  return (text, signature) => verify(digest, Buffer.from(text), key, signature);
}

function decode(part) {
  try {
    const value = JSON.parse(Buffer.from(part, 'base64url').toString());
    if (typeof value === 'object' && value !== null) return value;
  } catch {
    // Refused below, without what it says.
  }
  return fail('unreadable');
}

function split(text, separator) {
  const index = text.indexOf(separator);
  return index < 0 ? undefined : [text.slice(0, index), text.slice(index + 1)];
}

function fail(cause) {
  const headers = { 'WWW-Authenticate': 'Bearer error="invalid_token"' };
  throw new Refusal(401, 'INVALID_TOKEN', 'expected a valid bearer token, found one that is not', { headers, cause });
}
