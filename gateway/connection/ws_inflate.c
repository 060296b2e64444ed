#include "gateway/connection/ws_inflate.h"

#include <stdlib.h>
#include <zlib.h>

#define RAW_LARGEST_WINDOW (-15)

struct ws_inflate {
    z_stream stream;
    size_t most;
    unsigned char *text; /* most + 1 bytes: one more tells "too long" from "just fits" */
};

int ws_inflate_new(size_t most, struct ws_inflate **out) {
    struct ws_inflate *inflater = calloc(1, sizeof *inflater);
    if (inflater == NULL) {
        return -ENOMEM;
    }
    inflater->most = most;
    inflater->text = malloc(most + 1);
    if (inflater->text == NULL || inflateInit2(&inflater->stream, RAW_LARGEST_WINDOW) != Z_OK) {
        free(inflater->text);
        free(inflater);
        return -ENOMEM;
    }
    *out = inflater;
    return 0;
}

void ws_inflate_free(struct ws_inflate *inflater) {
    if (inflater != NULL) {
        inflateEnd(&inflater->stream);
        free(inflater->text);
        free(inflater);
    }
}

/* Z_BUF_ERROR only says that there was nothing left to do. */
static int feed(z_stream *stream, const unsigned char *data, size_t length) {
    stream->next_in = (unsigned char *)(uintptr_t)data;
    stream->avail_in = (uInt)length;
    int result = inflate(stream, Z_SYNC_FLUSH);
    if (result == Z_MEM_ERROR) {
        return -ENOMEM;
    }
    if (stream->avail_out == 0) {
        return -EMSGSIZE;
    }
    /* a final block ends the stream: the tail that the sender left out then has no place */
    return result == Z_OK || result == Z_BUF_ERROR || result == Z_STREAM_END ? 0 : -EBADMSG;
}

int ws_inflate_message(struct ws_inflate *inflater, struct span deflated, struct span *out) {
    static const unsigned char tail[] = {0x00, 0x00, 0xff, 0xff}; /* section 7.2.2 */
    z_stream *stream = &inflater->stream;
    inflateReset(stream);
    stream->next_out = inflater->text;
    stream->avail_out = (uInt)(inflater->most + 1);
    int error = feed(stream, (const unsigned char *)deflated.data, deflated.length);
    error = error != 0 ? error : feed(stream, tail, sizeof tail);
    if (error == 0) {
        *out = (struct span){(const char *)inflater->text, inflater->most + 1 - stream->avail_out};
    }
    return error;
}
