/* What becomes of a control message: revocations are remembered and announced in shared memory, disconnects announced.
 * Ingest's main thread; the one writer of the table. Said again, a message changes nothing but that connections are
 * looked at once more, so whatever a killed predecessor had half done is done by reading it again. */
#ifndef MOONX_INGEST_CONTROL_APPLY_H
#define MOONX_INGEST_CONTROL_APPLY_H

#include "common/siphash.h"
#include "shm/revocations.h"
#include "shm/stats.h"

/* A disconnect read so long after it was sent concerns nobody any more: those who are here have come since. */
#define CONTROL_APPLY_LATE_MS 60000

struct control_apply {
    const struct revocations *table;
    const struct siphash_key *hash_key;
    struct stats *stats;
    int64_t default_ms; /* a revocation holds so long when it doesn't say */
};

/* label: "<topic>:<partition>" for the log. False: it is none that means anything; told and counted. */
bool control_apply_value(const struct control_apply *control, const char *label, int64_t offset,
                         int64_t sent_ms, struct span value);

#endif
