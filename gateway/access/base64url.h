/* base64url without padding (RFC 4648 section 5), strict: exactly one text stands for some bytes. Pure
 * functions of a worker and of the `token` subcommand. */
#ifndef MOONX_GATEWAY_ACCESS_BASE64URL_H
#define MOONX_GATEWAY_ACCESS_BASE64URL_H

#include "common/base.h"

/* Most bytes that come out of `n` characters. */
#define BASE64URL_DECODED_MAX(n) ((n) / 4 * 3 + 2)

/* The number of bytes, -EINVAL for a character outside the alphabet (also `=`, `+`, `/`, blanks), for an
 * impossible length and for unused bits that are not zero; -ENOSPC. */
long base64url_decode(struct span text, unsigned char *out, size_t size) MUST_CHECK;

/* The number of characters (no NUL), -ENOSPC. */
long base64url_encode(const unsigned char *bytes, size_t length, char *out, size_t size) MUST_CHECK;

#endif
