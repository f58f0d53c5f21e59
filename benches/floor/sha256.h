/* The compression function of SHA-256 (FIPS 180-4) by the SHA extensions of x86-64. */
#ifndef FLOOR_SHA256_H
#define FLOOR_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_BLOCK 64u
#define SHA256_DIGEST 32u

/* The eight words in the order in which the instructions want them: A B E F and C D G H, from high to low. */
struct sha256 {
    _Alignas(16) uint32_t abef[4];
    _Alignas(16) uint32_t cdgh[4];
};

/* Whether this processor has the instructions; without them nothing else here may be called. */
int sha256_is_available(void);

void sha256_begin(struct sha256 *state);
void sha256_compress(struct sha256 *state, const uint8_t *bytes, size_t blocks);
/* Compresses the last block: nothing is left of a message of `total` bytes but the padding. */
void sha256_pad(struct sha256 *state, uint64_t total);
/* Compresses the last block: a digest, in front of which `before` bytes were compressed. It stays in registers. */
void sha256_append(struct sha256 *state, const struct sha256 *digest, uint64_t before);
/* Writes the state as the digest it is after the last block. */
void sha256_write(const struct sha256 *state, uint8_t digest[SHA256_DIGEST]);

#endif
