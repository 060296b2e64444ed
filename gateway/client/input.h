/* Lines from a descriptor, one at a time: read only when poll() says so and no whole line is left. A line longer than
 * INPUT_LINE_BYTES is passed over as one. Belongs to the run. */
#ifndef MOONX_GATEWAY_CLIENT_INPUT_H
#define MOONX_GATEWAY_CLIENT_INPUT_H

#include "common/base.h"

#define INPUT_LINE_BYTES (1u << 20)

struct input {
    int fd;          /* -1: nothing is read */
    bool ended;      /* no more will come */
    bool overlong;   /* in a line that is passed over */
    char *buffer;    /* of INPUT_LINE_BYTES once something was read */
    size_t at, have; /* buffer[at ... have) was not given out yet */
};

void input_free(struct input *input);

/* One read(). Sets `ended` at the end of the input or when it fails. -E2BIG: the line is too long and is passed over. */
int input_read(struct input *input) MUST_CHECK;

/* The next line, without its end, valid until the next call of any of these. False: read more. The last one needs no
 * newline. */
bool input_next(struct input *input, struct span *line);

#endif
