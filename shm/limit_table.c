#include "shm/limit_table.h"

#include "shm/region.h"

#include <sys/mman.h>
#include <unistd.h>

#define SLOTS_LEAST (1ull << 12)
#define SLOTS_MOST  (1ull << 21)
#define PAGE        4096ull /* blocks of counts begin on one, to be cleared as a whole */
#define ENTER_TRIES 4

#define ELSEWHERE_MASK ((1ull << LIMIT_TABLE_ELSEWHERE_BITS) - 1)

static uint64_t size_for(uint64_t slots, uint64_t workers);
static uint64_t entries_bytes(uint64_t slots);
static shm_u32 *counts_of(const struct limit_table *table, uint32_t worker);
static bool idle(const struct limit_table *table, uint32_t index, uint64_t now_ns);

int limit_table_create(uint64_t keys, uint32_t workers, int *fd) {
    uint64_t slots = SLOTS_LEAST;
    while (slots < SLOTS_MOST && slots / 2 < keys)
        slots *= 2;

    int made = -1;
    int result = region_create("moonx-limits", size_for(slots, workers), &made);
    if (result < 0)
        return result;
    void *region;
    size_t size;
    result = region_map(made, true, sizeof(struct limit_header), &region, &size);
    if (result < 0) {
        close(made);
        return result;
    }
    struct limit_header *header = region;
    header->magic = LIMIT_TABLE_MAGIC;
    header->version = LIMIT_TABLE_VERSION;
    header->workers = workers;
    header->slots = slots;
    header->size = size;
    region_unmap(region, size);
    *fd = made;
    return 0;
}

static bool sound(const struct limit_header *header, size_t size) {
    uint64_t slots = header->slots;
    return header->magic == LIMIT_TABLE_MAGIC && header->version == LIMIT_TABLE_VERSION &&
           slots >= SLOTS_LEAST && slots <= SLOTS_MOST && (slots & (slots - 1)) == 0 &&
           header->workers >= 1 && header->workers <= 64 && header->size == size &&
           size == size_for(slots, header->workers);
}

int limit_table_map(int fd, struct limit_table *out) {
    void *region;
    size_t size;
    int result = region_map(fd, true, sizeof(struct limit_header), &region, &size);
    if (result < 0)
        return result;
    struct limit_header *header = region;
    if (!sound(header, size)) {
        region_unmap(region, size);
        return -EPROTO;
    }
    /* copies: what lies in the region any worker could change */
    *out = (struct limit_table){.header = header,
                                .entries = (struct limit_entry *)((char *)region + PAGE),
                                .slots = header->slots,
                                .size = size,
                                .workers = header->workers};
    return 0;
}

void limit_table_unmap(struct limit_table *table) {
    region_unmap(table->header, table->size);
    *table = (struct limit_table){.header = NULL};
}

/* In three steps, so that whoever is killed in between leaves an entry that is free: the old key goes, then what was
 * known of it, then the new key comes. */
static bool claim(const struct limit_table *table, uint32_t index, uint64_t key, uint64_t now_ns) {
    struct limit_entry *entry = &table->entries[index];
    uint64_t before = load_full(&entry->key), none = 0;
    if (before != 0 && (!idle(table, index, now_ns) || !replace_full(&entry->key, &before, 0)))
        return false;
    if (before != 0 && !idle(table, index, now_ns)) {
        /* somebody came for the old key in between: give it back (unless it went on to a third) */
        (void)replace_full(&entry->key, &none, before);
        return false;
    }
    store_relaxed(&entry->owed_ns, 0);
    store_relaxed(&entry->elsewhere, 0);
    return replace_full(&entry->key, &none, key);
}

/* The first slot of the key's set in that level: level 0 has the first SLOTS_LEAST slots, each other one as many as all
 * before it together. */
static uint32_t first_of_set(uint64_t key, uint32_t level) {
    uint64_t slots = level == 0 ? SLOTS_LEAST : SLOTS_LEAST << (level - 1);
    uint64_t start = level == 0 ? 0 : slots;
    return (uint32_t)(start + (key >> 32 & (slots / LIMIT_TABLE_WAYS - 1)) * LIMIT_TABLE_WAYS);
}

static uint32_t levels_of(const struct limit_table *table) {
    uint32_t levels = 1;
    while (SLOTS_LEAST << levels <= table->slots)
        levels++;
    return levels;
}

static uint32_t levels_in_use(const struct limit_table *table) {
    uint32_t in_use = load_full(&table->header->levels) + 1, most = levels_of(table);
    return in_use < most ? in_use : most;
}

static uint32_t find_in_set(const struct limit_table *table, uint32_t first, uint64_t key) {
    for (uint32_t i = first; i < first + LIMIT_TABLE_WAYS; i++)
        if (load_full(&table->entries[i].key) == key)
            return i;
    return UINT32_MAX;
}

static uint32_t find_in_levels(const struct limit_table *table, uint64_t key) {
    uint32_t levels = levels_in_use(table);
    for (uint32_t level = 0; level < levels; level++) {
        uint32_t found = find_in_set(table, first_of_set(key, level), key);
        if (found != UINT32_MAX)
            return found;
    }
    return UINT32_MAX;
}

/* Slot 0 is never given out, so that 0 can stand for none. */
static uint32_t claim_in_set(const struct limit_table *table, uint32_t first, uint64_t key,
                             uint64_t now_ns) {
    for (uint32_t i = first; i < first + LIMIT_TABLE_WAYS; i++)
        if (i != 0 && claim(table, i, key, now_ns))
            return i;
    return 0;
}

/* A set is full of busy keys in every level in use: there is one level more from now on. */
static uint32_t claim_in_levels(const struct limit_table *table, uint64_t key, uint64_t now_ns) {
    uint32_t levels = levels_in_use(table), most = levels_of(table);
    for (uint32_t level = 0; level < most; level++) {
        uint32_t before = level - 1;
        if (level >= levels)
            (void)replace_full(&table->header->levels, &before, level);
        uint32_t mine = claim_in_set(table, first_of_set(key, level), key, now_ns);
        if (mine != 0)
            return mine;
    }
    return 0;
}

/* The first entry of that key counts: when two workers have claimed one each, both look again and the later one
 * is let go. */
static uint32_t settle(const struct limit_table *table, uint32_t mine, uint64_t key) {
    uint32_t found = find_in_levels(table, key);
    if (found != mine && found != UINT32_MAX) {
        uint64_t expected = key;
        (void)replace_full(&table->entries[mine].key, &expected, 0);
        return found;
    }
    return mine;
}

static uint32_t lookup(const struct limit_table *table, uint64_t key, uint64_t now_ns) {
    uint32_t found = find_in_levels(table, key);
    if (found != UINT32_MAX)
        return found;
    uint32_t mine = claim_in_levels(table, key, now_ns);
    return mine != 0 ? settle(table, mine, key) : 0;
}

uint32_t limit_table_find(const struct limit_table *table, uint64_t key, uint64_t now_ns) {
    return lookup(table, key != 0 ? key : 1, now_ns);
}

uint32_t limit_table_look(const struct limit_table *table, uint64_t key) {
    key = key != 0 ? key : 1;
    uint32_t found = find_in_levels(table, key);
    return found != UINT32_MAX ? found : 0;
}

bool limit_table_enter(const struct limit_table *table, uint32_t worker, uint64_t key,
                       uint64_t most, uint64_t now_ns, uint32_t *index) {
    key = key != 0 ? key : 1;
    for (int i = 0; i < ENTER_TRIES; i++) {
        uint32_t found = lookup(table, key, now_ns);
        if (found == 0)
            break;
        add_full(&counts_of(table, worker)[found], 1u);
        if (load_full(&table->entries[found].key) != key) {
            limit_table_leave(table, worker, found); /* taken over just now */
            continue;
        }
        if (limit_table_count(table, found) > most) {
            limit_table_leave(table, worker, found);
            return false;
        }
        *index = found;
        return true;
    }
    *index = 0;
    return true;
}

void limit_table_leave(const struct limit_table *table, uint32_t worker, uint32_t index) {
    if (index != 0)
        add_full(&counts_of(table, worker)[index], UINT32_MAX); /* less one */
}

uint64_t limit_table_count(const struct limit_table *table, uint32_t index) {
    uint64_t sum = 0;
    for (uint32_t worker = 0; worker < table->workers; worker++)
        sum += load_full(&counts_of(table, worker)[index]);
    return sum;
}

uint64_t limit_table_count_of(const struct limit_table *table, uint32_t worker, uint32_t index) {
    return load_full(&counts_of(table, worker)[index]);
}

static uint64_t take(shm_u64 *full_ns, const struct limit_rate *rate, uint64_t count,
                     uint64_t now_ns) {
    uint64_t taken = count < rate->burst ? count : rate->burst;
    uint64_t slack_ns = rate->interval_ns * (rate->burst - taken);
    uint64_t full = load_full(full_ns);
    uint64_t next;
    do {
        uint64_t from = full > now_ns ? full : now_ns;
        if (from - now_ns > slack_ns)
            return from - now_ns - slack_ns;
        next = from + rate->interval_ns * taken;
    } while (!replace_full(full_ns, &full, next));
    return 0;
}

uint64_t limit_table_take(const struct limit_table *table, uint32_t index,
                          const struct limit_rate *rate, uint64_t count, uint64_t now_ns) {
    return index == 0 ? 0 : take(&table->entries[index].full_ns, rate, count, now_ns);
}

uint64_t limit_table_take_host(const struct limit_table *table, const struct limit_rate *rate,
                               uint64_t now_ns) {
    return take(&table->header->host_full_ns, rate, 1, now_ns);
}

uint64_t limit_table_key(const struct limit_table *table, uint32_t index) {
    return load_full(&table->entries[index].key);
}

void limit_table_owe(const struct limit_table *table, uint32_t index, uint64_t cost_ns) {
    if (cost_ns != 0)
        add_full(&table->entries[index].owed_ns, cost_ns);
}

uint64_t limit_table_take_owed(const struct limit_table *table, uint32_t index, uint64_t key,
                               uint64_t now_ns) {
    struct limit_entry *entry = &table->entries[index];
    if (load_full(&entry->key) != key)
        return 0;
    uint64_t owed = exchange_full(&entry->owed_ns, 0);
    uint64_t full = load_full(&entry->full_ns);
    uint64_t lacks = full > now_ns ? full - now_ns : 0;
    return owed < lacks ? owed : lacks;
}

void limit_table_set_elsewhere(const struct limit_table *table, uint32_t index, uint64_t key,
                               uint64_t count, uint64_t until_ms) {
    if (load_full(&table->entries[index].key) == key)
        store_relaxed(&table->entries[index].elsewhere,
                      until_ms << LIMIT_TABLE_ELSEWHERE_BITS | (count & ELSEWHERE_MASK));
}

uint64_t limit_table_elsewhere(const struct limit_table *table, uint32_t index, uint64_t now_ms) {
    uint64_t word = load_relaxed(&table->entries[index].elsewhere);
    return now_ms < word >> LIMIT_TABLE_ELSEWHERE_BITS ? word & ELSEWHERE_MASK : 0;
}

bool limit_table_mark(const struct limit_table *table, uint32_t index, bool marked) {
    return exchange_full(&table->entries[index].owed_ns, marked) != 0;
}

/* A token taken between the two reads counts twice or not at all until the next settlement. */
void limit_table_settle(const struct limit_table *table, uint32_t index, uint64_t key,
                        uint64_t lack_ns, uint64_t now_ns) {
    struct limit_entry *entry = &table->entries[index];
    uint64_t full = load_full(&entry->full_ns);
    if (load_full(&entry->key) == key)
        (void)replace_full(&entry->full_ns, &full, now_ns + lack_ns + load_full(&entry->owed_ns));
}

void limit_table_clear_worker(const struct limit_table *table, uint32_t worker) {
    shm_u32 *counts = counts_of(table, worker);
    /* gives the pages back as well; where that is not to be had, zeroes will do */
    if (madvise(counts, table->slots * sizeof(*counts), MADV_REMOVE) != 0)
        for (uint64_t i = 0; i < table->slots; i++)
            store_relaxed(&counts[i], 0);
}

static uint64_t entries_bytes(uint64_t slots) {
    return slots * sizeof(struct limit_entry); /* whole pages: slots are at least 4096 */
}

static uint64_t size_for(uint64_t slots, uint64_t workers) {
    return PAGE + entries_bytes(slots) + workers * slots * sizeof(shm_u32);
}

static shm_u32 *counts_of(const struct limit_table *table, uint32_t worker) {
    char *base = (char *)table->entries + entries_bytes(table->slots);
    return (shm_u32 *)base + worker * table->slots;
}

static bool idle(const struct limit_table *table, uint32_t index, uint64_t now_ns) {
    return load_full(&table->entries[index].full_ns) <= now_ns &&
           limit_table_count(table, index) == 0;
}
