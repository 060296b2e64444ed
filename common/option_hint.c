#include "common/option_hint.h"

#define DASHES 2 /* both begin with them, so they say nothing */

static unsigned edit_distance(struct span a, struct span b);
static bool is_start(struct span whole, struct span start);

void option_hint_consider(struct option_hint *hint, struct span candidate) {
    struct span wanted = hint->wanted;
    unsigned distance;

    if (wanted.length <= DASHES || wanted.length >= OPTION_HINT_BYTES ||
        candidate.length >= OPTION_HINT_BYTES) {
        return;
    }
    distance = edit_distance(wanted, candidate);
    if (is_start(candidate, wanted)) {
        distance = 1;
    } else if ((size_t)distance * 3 > wanted.length - DASHES + 2) {
        return;
    }
    if (hint->best[0] == 0 || distance < hint->distance) {
        memcpy(hint->best, candidate.data, candidate.length);
        hint->best[candidate.length] = 0;
        hint->distance = distance;
    }
}

static bool is_start(struct span whole, struct span start) {
    return start.length >= DASHES + 3 && start.length < whole.length &&
           memcmp(whole.data, start.data, start.length) == 0;
}

static unsigned smallest(unsigned a, unsigned b, unsigned c) {
    unsigned least = a < b ? a : b;

    return least < c ? least : c;
}

/* Damerau's distance with swaps of neighbours, three rows of the table at a time. */
static unsigned edit_distance(struct span a, struct span b) {
    unsigned rows[3][OPTION_HINT_BYTES + 1];
    unsigned *before = rows[0], *above = rows[1], *row = rows[2];

    for (unsigned j = 0; j <= b.length; j++) {
        above[j] = j;
    }
    for (unsigned i = 1; i <= a.length; i++) {
        unsigned *oldest = before;
        row[0] = i;
        for (unsigned j = 1; j <= b.length; j++) {
            unsigned wrong = above[j - 1] + (a.data[i - 1] != b.data[j - 1]);
            row[j] = smallest(wrong, above[j] + 1, row[j - 1] + 1);
            if (i > 1 && j > 1 && a.data[i - 1] == b.data[j - 2] &&
                a.data[i - 2] == b.data[j - 1] && before[j - 2] + 1 < row[j]) {
                row[j] = before[j - 2] + 1;
            }
        }
        before = above;
        above = row;
        row = oldest;
    }
    return above[b.length];
}
