/*
 * SHA-256 (FIPS 180-4), for test content and for what is reported of received messages.
 */
#ifndef SCTPX_INTEROP_SHA256_H
#define SCTPX_INTEROP_SHA256_H

#include <stddef.h>
#include <stdint.h>

struct sha256 {
	uint32_t state[8];
	uint64_t length;      /* bytes so far */
	uint8_t block[64];    /* the bytes of the block that is not full yet */
};

void sha256_begin(struct sha256 *hash);
void sha256_add(struct sha256 *hash, const void *data, size_t length);
void sha256_end(struct sha256 *hash, uint8_t digest[32]);

#endif
