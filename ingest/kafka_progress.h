/* How far consumption is: the broker's watermarks, for lag, and whether all that was there at the start has been
 * read (INGEST_CAUGHT_UP). Ingest's main thread. */
#ifndef MOONX_INGEST_KAFKA_PROGRESS_H
#define MOONX_INGEST_KAFKA_PROGRESS_H

#include "ingest/kafka_assign.h"

#define KAFKA_PROGRESS_MS 1000 /* between two looks at the watermarks */

struct kafka_progress {
    uint64_t noted_ms;
};

/* Every 100 ms or so. */
void kafka_progress_tick(struct kafka_progress *progress, struct kafka_assign *assign,
                         uint64_t now_ms);

#endif
