#include "gateway/delivery/frame_deflate.h"

#include <stdlib.h>
#include <zlib.h>

#define RAW_LARGEST_WINDOW (-15)
#define MEMORY_LEVEL       8
#define TAIL_BYTES         4u /* 00 00 ff ff, left out (section 7.2.1) */

struct frame_deflate {
    z_stream stream;
    unsigned char *text; /* grows to the longest payload */
    size_t size;
};

int frame_deflate_new(struct frame_deflate **out) {
    struct frame_deflate *deflater = calloc(1, sizeof *deflater);
    if (deflater == NULL) {
        return -ENOMEM;
    }
    if (deflateInit2(&deflater->stream, Z_BEST_SPEED, Z_DEFLATED, RAW_LARGEST_WINDOW, MEMORY_LEVEL,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
        free(deflater);
        return -ENOMEM;
    }
    *out = deflater;
    return 0;
}

void frame_deflate_free(struct frame_deflate *deflater) {
    if (deflater != NULL) {
        deflateEnd(&deflater->stream);
        free(deflater->text);
        free(deflater);
    }
}

static bool make_room(struct frame_deflate *deflater, size_t size) {
    if (size > deflater->size) {
        unsigned char *text = realloc(deflater->text, size);
        if (text == NULL) {
            return false;
        }
        deflater->text = text;
        deflater->size = size;
    }
    return true;
}

int frame_deflate_make(struct frame_deflate *deflater, struct frame_arena *arena,
                       struct span payload, struct frame_piece *out) {
    if (payload.length < FRAME_DEFLATE_MIN_BYTES) {
        return -ENODATA;
    }
    z_stream *stream = &deflater->stream;
    deflateReset(stream);
    if (!make_room(deflater, payload.length)) { /* what does not fit is not shorter */
        return -ENOMEM;
    }
    stream->next_in = (unsigned char *)(uintptr_t)payload.data;
    stream->avail_in = (uInt)payload.length;
    stream->next_out = deflater->text;
    stream->avail_out = (uInt)payload.length;
    if (deflate(stream, Z_SYNC_FLUSH) != Z_OK || stream->avail_in != 0 || stream->avail_out == 0) {
        return -ENODATA;
    }
    size_t length = payload.length - stream->avail_out - TAIL_BYTES;
    return frame_make_deflated(arena, (struct span){(const char *)deflater->text, length}, out);
}
