/* HMAC-SHA256 (RFC 2104) under a key whose two pads are compressed once, in the beginning. */
#ifndef FLOOR_HMAC_H
#define FLOOR_HMAC_H

#include "sha256.h"

struct hmac {
    struct sha256 inner; /* after the inner pad */
    struct sha256 outer; /* after the outer pad */
};

void hmac_begin(struct hmac *hmac, const uint8_t *key, size_t length);
void hmac_sign(const struct hmac *hmac, const uint8_t *bytes, size_t length, uint8_t mac[SHA256_DIGEST]);
int hmac_is_right(const struct hmac *hmac, const uint8_t *bytes, size_t length, const uint8_t mac[SHA256_DIGEST]);

/* Whether the test cases of RFC 4231 come out. */
int hmac_passes_vectors(void);

#endif
