/* One message of permessage-deflate without context takeover (RFC 7692 section 7.2.2). */
#ifndef MOONX_BENCH_LOAD_INFLATE_H
#define MOONX_BENCH_LOAD_INFLATE_H

#include "common/base.h"

#include <errno.h>
#include <zlib.h>

#define LOAD_INFLATED_BYTES 65536

struct load_inflater {
    z_stream stream; /* all zero: not begun yet */
    char text[LOAD_INFLATED_BYTES];
};

/* *message becomes its text, inside the inflater, good until the next call. 0 or -EPROTO. */
static inline int load_inflate(struct load_inflater *inflater, struct span *message) {
    static const char tail[] = {0, 0, (char)0xff, (char)0xff};
    const struct span pieces[] = {*message, {tail, sizeof(tail)}};
    z_stream *stream = &inflater->stream;
    int result = stream->state == NULL ? inflateInit2(stream, -15) : inflateReset(stream);
    stream->next_out = (Bytef *)inflater->text;
    stream->avail_out = sizeof(inflater->text);
    for (unsigned i = 0; result == Z_OK && i < ARRAY_LENGTH(pieces); i++) {
        stream->next_in = (Bytef *)pieces[i].data;
        stream->avail_in = (uInt)pieces[i].length;
        result = inflate(stream, Z_SYNC_FLUSH);
    }
    if (result != Z_OK || stream->avail_in > 0 || stream->avail_out == 0) {
        return -EPROTO;
    }
    *message = (struct span){inflater->text, sizeof(inflater->text) - stream->avail_out};
    return 0;
}

#endif
