/** 128 random bits in hexadecimal. `crypto.randomUUID` is not there on a page that came over plain HTTP. */
export function token(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
