/**
 * The points of X25519 whose product with any secret is zero: those of order 1, 2, 4 and 8 on the curve and its twist,
 * in every encoding of 255 bits (RFC 7748, section 6.1; cr.yp.to/ecdh.html, "How do I validate Curve25519 public keys?"),
 * and with the 256th bit set, which the receiver has to ignore.
 */
const POINTS = [
  '0000000000000000000000000000000000000000000000000000000000000000', // 0
  '0100000000000000000000000000000000000000000000000000000000000000', // 1
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800', // of order 8
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157', // of order 8
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f', // p - 1
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f', // p, another 0
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f', // p + 1, another 1
].map((hex) => Buffer.from(hex, 'hex'));

export const LOW_ORDER_POINTS: readonly Buffer[] = POINTS.flatMap((point) => {
  const high = Buffer.from(point);
  high.writeUInt8(high.readUInt8(31) | 0x80, 31);
  return [point, high];
});
