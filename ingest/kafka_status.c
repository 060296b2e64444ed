#include "ingest/kafka_status.h"

#include "common/clock.h"
#include "common/log.h"

static void set_flag(struct ingest_block *block, uint32_t flag, bool on);
static void note_change(struct kafka_status *status, bool up);

void kafka_status_init(struct kafka_status *status, struct ingest_block *block) {
    *status = (struct kafka_status){.block = block};
    set_flag(block, INGEST_PACED, false);
    note_change(status, false);
}

void kafka_status_up(struct kafka_status *status) {
    if (status->up) {
        return;
    }
    log_info("Kafka answers%s", status->told_down ? " again" : "");
    status->told_down = false;
    note_change(status, true);
}

void kafka_status_down(struct kafka_status *status, const char *reason) {
    if (!status->told_down) {
        log_warn("Kafka does not answer (%s): going on without, and trying until it does", reason);
        status->told_down = true;
    }
    if (status->up) {
        note_change(status, false);
    }
}

void kafka_status_caught_up(struct kafka_status *status) {
    if (!kafka_status_is_caught_up(status)) {
        set_flag(status->block, INGEST_CAUGHT_UP, true);
        log_info("caught up with Kafka");
    }
}

bool kafka_status_is_caught_up(const struct kafka_status *status) {
    return (load_relaxed(&status->block->flags) & INGEST_CAUGHT_UP) != 0;
}

void kafka_status_paced(struct kafka_status *status, bool paced) {
    set_flag(status->block, INGEST_PACED, paced);
}

static void set_flag(struct ingest_block *block, uint32_t flag, bool on) {
    uint32_t flags = load_relaxed(&block->flags);

    store_relaxed(&block->flags, on ? flags | flag : flags & ~flag);
}

static void note_change(struct kafka_status *status, bool up) {
    status->up = up;
    set_flag(status->block, INGEST_KAFKA_UP, up);
    store_relaxed(&status->block->kafka_changed_ms, (uint64_t)clock_wall_ms());
}
