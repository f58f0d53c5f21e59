#include "hmac.h"

#include <string.h>

/* Compresses what is left of a message behind its last whole block, with the padding: 0x80, zeros, the length of everything in bits. */
static void finish(struct sha256 *state, const uint8_t *rest, size_t length, uint64_t total) {
    if (length == 0) {
        sha256_pad(state, total);
        return;
    }
    uint8_t last[2 * SHA256_BLOCK] = {0};
    const size_t blocks = length + 9 > SHA256_BLOCK ? 2 : 1;
    const uint64_t bits = __builtin_bswap64(8 * total);
    memcpy(last, rest, length);
    last[length] = 0x80;
    memcpy(last + blocks * SHA256_BLOCK - 8, &bits, 8);
    sha256_compress(state, last, blocks);
}

/* Compresses all of a message; `before` bytes were compressed in front of it. */
static void absorb(struct sha256 *state, const uint8_t *bytes, size_t length, uint64_t before) {
    const size_t blocks = length / SHA256_BLOCK;
    sha256_compress(state, bytes, blocks);
    finish(state, bytes + blocks * SHA256_BLOCK, length % SHA256_BLOCK, before + length);
}

static void begin_with(struct sha256 *state, const uint8_t key[SHA256_BLOCK], uint8_t pad) {
    uint8_t block[SHA256_BLOCK];
    for (size_t at = 0; at < SHA256_BLOCK; at += 1) block[at] = key[at] ^ pad;
    sha256_begin(state);
    sha256_compress(state, block, 1);
}

void hmac_begin(struct hmac *hmac, const uint8_t *key, size_t length) {
    uint8_t block[SHA256_BLOCK] = {0};
    if (length > SHA256_BLOCK) {
        struct sha256 state;
        sha256_begin(&state);
        absorb(&state, key, length, 0);
        sha256_write(&state, block);
    } else {
        memcpy(block, key, length);
    }
    begin_with(&hmac->inner, block, 0x36);
    begin_with(&hmac->outer, block, 0x5c);
}

static inline void compute(const struct hmac *hmac, const uint8_t *bytes, size_t length, struct sha256 *mac) {
    struct sha256 inner = hmac->inner;
    absorb(&inner, bytes, length, SHA256_BLOCK);
    *mac = hmac->outer;
    sha256_append(mac, &inner, SHA256_BLOCK);
}

void hmac_sign(const struct hmac *hmac, const uint8_t *bytes, size_t length, uint8_t mac[SHA256_DIGEST]) {
    struct sha256 computed;
    compute(hmac, bytes, length, &computed);
    sha256_write(&computed, mac);
}

int hmac_is_right(const struct hmac *hmac, const uint8_t *bytes, size_t length, const uint8_t mac[SHA256_DIGEST]) {
    uint8_t expected[SHA256_DIGEST];
    hmac_sign(hmac, bytes, length, expected);
    return memcmp(expected, mac, SHA256_DIGEST) == 0; /* nobody measures how long this takes to forge a MAC: it is a benchmark */
}

/* A run of one byte, or a text where `run` is 0. */
struct bytes {
    const char *text;
    uint8_t byte;
    size_t run;
};

struct vector {
    struct bytes key;
    struct bytes message;
    size_t length; /* of the MAC: test case 5 has the first 16 bytes only */
    const char *mac;
};

#define COUNTING "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19"

/* RFC 4231, 4.2 to 4.8. */
static const struct vector VECTORS[] = {
    {{NULL, 0x0b, 20}, {"Hi There", 0, 0}, 32, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
    {{"Jefe", 0, 0}, {"what do ya want for nothing?", 0, 0}, 32, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
    {{NULL, 0xaa, 20}, {NULL, 0xdd, 50}, 32, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
    {{COUNTING, 0, 0}, {NULL, 0xcd, 50}, 32, "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
    {{NULL, 0x0c, 20}, {"Test With Truncation", 0, 0}, 16, "a3b6167473100ee06e0c796c2955552b"},
    {{NULL, 0xaa, 131},
     {"Test Using Larger Than Block-Size Key - Hash Key First", 0, 0},
     32,
     "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
    {{NULL, 0xaa, 131},
     {"This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed before "
      "being used by the HMAC algorithm.",
      0,
      0},
     32,
     "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
};

static size_t lay_out(const struct bytes *bytes, uint8_t out[256]) {
    if (bytes->text == NULL) {
        memset(out, bytes->byte, bytes->run);
        return bytes->run;
    }
    const size_t length = strlen(bytes->text);
    memcpy(out, bytes->text, length);
    return length;
}

static int is_hex(const uint8_t *bytes, size_t length, const char *text) {
    static const char digits[] = "0123456789abcdef";
    for (size_t at = 0; at < length; at += 1)
        if (digits[bytes[at] >> 4] != text[2 * at] || digits[bytes[at] & 15] != text[2 * at + 1]) return 0;
    return text[2 * length] == '\0';
}

int hmac_passes_vectors(void) {
    for (size_t at = 0; at < sizeof VECTORS / sizeof *VECTORS; at += 1) {
        uint8_t key[256], message[256], mac[SHA256_DIGEST];
        struct hmac hmac;
        hmac_begin(&hmac, key, lay_out(&VECTORS[at].key, key));
        hmac_sign(&hmac, message, lay_out(&VECTORS[at].message, message), mac);
        if (!is_hex(mac, VECTORS[at].length, VECTORS[at].mac)) return 0;
    }
    return 1;
}
