#include "gateway/client/input.h"

#include <stdlib.h>
#include <unistd.h>

void input_free(struct input *input) {
    free(input->buffer);
    *input = (struct input){.fd = -1, .ended = true};
}

/* Makes room behind what was not given out. */
static int make_room(struct input *input) {
    if (input->buffer == NULL && (input->buffer = malloc(INPUT_LINE_BYTES)) == NULL) {
        return -ENOMEM;
    }
    if (input->at > 0) {
        memmove(input->buffer, input->buffer + input->at, input->have - input->at);
        input->have -= input->at;
        input->at = 0;
    }
    return 0;
}

/* The rest of an overlong line goes unread, up to its newline. */
static void pass_over(struct input *input) {
    const char *end = memchr(input->buffer + input->at, '\n', input->have - input->at);
    input->at = end == NULL ? input->have : (size_t)(end + 1 - input->buffer);
    input->overlong = end == NULL;
}

int input_read(struct input *input) {
    int result = make_room(input);
    if (result != 0) {
        input->ended = true;
        return result;
    }
    if (input->have == INPUT_LINE_BYTES) {
        input->overlong = true;
        pass_over(input);
        return -E2BIG;
    }
    ssize_t got = read(input->fd, input->buffer + input->have, INPUT_LINE_BYTES - input->have);
    if (got > 0) {
        input->have += (size_t)got;
        if (input->overlong) {
            pass_over(input);
        }
    } else if (got == 0 || (errno != EINTR && errno != EAGAIN)) {
        input->ended = true;
    }
    return 0;
}

bool input_next(struct input *input, struct span *line) {
    size_t left = input->have - input->at;
    if (left == 0) {
        return false;
    }
    const char *start = input->buffer + input->at;
    const char *end = memchr(start, '\n', left);
    if (end == NULL && !input->ended) {
        return false;
    }
    *line = (struct span){start, end == NULL ? left : (size_t)(end - start)};
    input->at += line->length + (end == NULL ? 0 : 1);
    return true;
}
