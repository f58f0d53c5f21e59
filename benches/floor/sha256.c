#include "sha256.h"

#include <string.h>

#if defined(__x86_64__)

#include <cpuid.h>
#include <immintrin.h>

#define WITH_SHA __attribute__((target("sha,sse4.1,ssse3")))

static const _Alignas(16) uint32_t K[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

int sha256_is_available(void) {
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_SSE4_1) || !(c & bit_SSSE3)) return 0;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & (1u << 29)) != 0; /* EBX bit 29: SHA */
}

void sha256_begin(struct sha256 *state) {
    /* F E B A and H G D C, from low to high. */
    static const struct sha256 first = {
        {0x9b05688c, 0x510e527f, 0xbb67ae85, 0x6a09e667},
        {0x5be0cd19, 0x1f83d9ab, 0xa54ff53a, 0x3c6ef372},
    };
    *state = first;
}

/* One block, from the sixteen words in `w`, which becomes the last sixteen words of the message schedule. */
WITH_SHA static inline void compress_words(__m128i *abef, __m128i *cdgh, __m128i w[4]) {
    const __m128i abef_before = *abef, cdgh_before = *cdgh;
#pragma GCC unroll 16
    for (int group = 0; group < 16; group += 1) {
        __m128i *const next = &w[group % 4]; /* the four words that are sixteen back */
        if (group >= 4) {
            const __m128i one_back = w[(group + 3) % 4], two_back = w[(group + 2) % 4];
            const __m128i seven_back = _mm_alignr_epi8(one_back, two_back, 4);
            const __m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(*next, w[(group + 1) % 4]), seven_back);
            *next = _mm_sha256msg2_epu32(sum, one_back);
        }
        /* Each instruction does two rounds, with the two low words; the roles of the halves change with it. */
        const __m128i input = _mm_add_epi32(*next, _mm_load_si128((const __m128i *)&K[4 * group]));
        *cdgh = _mm_sha256rnds2_epu32(*cdgh, *abef, input);
        *abef = _mm_sha256rnds2_epu32(*abef, *cdgh, _mm_shuffle_epi32(input, 0x0e));
    }
    *abef = _mm_add_epi32(*abef, abef_before);
    *cdgh = _mm_add_epi32(*cdgh, cdgh_before);
}

WITH_SHA static inline void compress_last(struct sha256 *state, __m128i w[4]) {
    __m128i abef = _mm_load_si128((const __m128i *)state->abef);
    __m128i cdgh = _mm_load_si128((const __m128i *)state->cdgh);
    compress_words(&abef, &cdgh, w);
    _mm_store_si128((__m128i *)state->abef, abef);
    _mm_store_si128((__m128i *)state->cdgh, cdgh);
}

WITH_SHA void sha256_compress(struct sha256 *state, const uint8_t *bytes, size_t blocks) {
    const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    __m128i abef = _mm_load_si128((const __m128i *)state->abef);
    __m128i cdgh = _mm_load_si128((const __m128i *)state->cdgh);
    for (; blocks > 0; blocks -= 1, bytes += SHA256_BLOCK) {
        __m128i w[4];
        for (int at = 0; at < 4; at += 1) w[at] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)bytes + at), big_endian);
        compress_words(&abef, &cdgh, w);
    }
    _mm_store_si128((__m128i *)state->abef, abef);
    _mm_store_si128((__m128i *)state->cdgh, cdgh);
}

/* The end of the padding: the length of everything in bits. */
WITH_SHA static inline __m128i length_of(uint64_t total) {
    return _mm_set_epi32((int)(uint32_t)(8 * total), (int)(uint32_t)(8 * total >> 32), 0, 0);
}

WITH_SHA void sha256_pad(struct sha256 *state, uint64_t total) {
    __m128i w[4] = {_mm_set_epi32(0, 0, 0, INT32_MIN), _mm_setzero_si128(), _mm_setzero_si128(), length_of(total)};
    compress_last(state, w);
}

/* The words A B C D and E F G H, from low to high. */
WITH_SHA static inline __m128i first_half(const struct sha256 *state) {
    const __m128i abef = _mm_load_si128((const __m128i *)state->abef), cdgh = _mm_load_si128((const __m128i *)state->cdgh);
    return _mm_shuffle_epi32(_mm_unpackhi_epi64(cdgh, abef), 0x1b);
}

WITH_SHA static inline __m128i second_half(const struct sha256 *state) {
    const __m128i abef = _mm_load_si128((const __m128i *)state->abef), cdgh = _mm_load_si128((const __m128i *)state->cdgh);
    return _mm_shuffle_epi32(_mm_unpacklo_epi64(cdgh, abef), 0x1b);
}

WITH_SHA void sha256_append(struct sha256 *state, const struct sha256 *digest, uint64_t before) {
    const __m128i end_mark = _mm_set_epi32(0, 0, 0, INT32_MIN);
    __m128i w[4] = {first_half(digest), second_half(digest), end_mark, length_of(before + SHA256_DIGEST)};
    compress_last(state, w);
}

WITH_SHA void sha256_write(const struct sha256 *state, uint8_t digest[SHA256_DIGEST]) {
    const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    _mm_storeu_si128((__m128i *)digest, _mm_shuffle_epi8(first_half(state), big_endian));
    _mm_storeu_si128((__m128i *)digest + 1, _mm_shuffle_epi8(second_half(state), big_endian));
}

#else

int sha256_is_available(void) {
    return 0;
}

void sha256_begin(struct sha256 *state) {
    memset(state, 0, sizeof *state);
}

void sha256_compress(struct sha256 *state, const uint8_t *bytes, size_t blocks) {
    (void)state, (void)bytes, (void)blocks;
}

void sha256_pad(struct sha256 *state, uint64_t total) {
    (void)state, (void)total;
}

void sha256_append(struct sha256 *state, const struct sha256 *digest, uint64_t before) {
    (void)state, (void)digest, (void)before;
}

void sha256_write(const struct sha256 *state, uint8_t digest[SHA256_DIGEST]) {
    (void)state;
    memset(digest, 0, SHA256_DIGEST);
}

#endif
