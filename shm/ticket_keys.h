/* The keys of TLS session tickets (RFC 5077, RFC 8446 section 4.6.1), the same for all workers: what one has issued
 * another resumes, and so does a successor. One region, made by the supervisor when TLS is on, for as long as the
 * gateway runs; workers map it read-only, and out of core dumps.
 *
 *   head · generation u64 · keys[TICKET_KEYS_SLOTS]     key of generation g in slot g % TICKET_KEYS_SLOTS
 *
 * Writer: the supervisor, with nothing but random bytes; it knows no TLS. Tickets are made with the key of the present
 * generation; that of the one before is still accepted; older ones are overwritten with zeros, so that a key that
 * leaks opens no session older than two periods. */
#ifndef MOONX_SHM_TICKET_KEYS_H
#define MOONX_SHM_TICKET_KEYS_H

#include "shm/block.h"
#include "shm/order.h"

#define TICKET_KEYS_MAGIC     0x6d6f6f6e7469636bull
#define TICKET_KEYS_VERSION   1u
#define TICKET_KEYS_SLOTS     4u
#define TICKET_KEY_NAME_BYTES 16u
#define TICKET_KEY_AES_BYTES  32u
#define TICKET_KEY_HMAC_BYTES 32u
#define TICKET_KEY_WORDS      10u

/* A copy, wiped by whoever took it. */
struct ticket_key {
    unsigned char name[TICKET_KEY_NAME_BYTES]; /* stands in the ticket, in clear */
    unsigned char aes[TICKET_KEY_AES_BYTES];
    unsigned char hmac[TICKET_KEY_HMAC_BYTES];
};
static_assert(sizeof(struct ticket_key) == (size_t)TICKET_KEY_WORDS * 8, "a key is whole words");

struct ticket_keys {
    struct block_head head;
    shm_u64 generation; /* 0: no key yet */
    shm_u64 keys[TICKET_KEYS_SLOTS][TICKET_KEY_WORDS];
};

/* The supervisor's, once: *fd is its region. Both: -errno; -EPROTO when it is none of this version. */
int ticket_keys_create(int *fd) MUST_CHECK;
int ticket_keys_map(int fd, bool writable, struct ticket_keys **out) MUST_CHECK;
void ticket_keys_unmap(struct ticket_keys *keys);

/* A new key from now on. The supervisor only. -EIO: no randomness; all stays. */
int ticket_keys_rotate(struct ticket_keys *keys) MUST_CHECK;

/* The key that new tickets are made with. False: there is none. */
bool ticket_keys_present(const struct ticket_keys *keys, struct ticket_key *out) MUST_CHECK;

enum ticket_age {
    TICKET_UNKNOWN, /* no key of that name, or one that is too old */
    TICKET_PRESENT,
    TICKET_OLD, /* good, but the client should get a new ticket */
};
/* The key that a ticket names; *out is filled unless UNKNOWN. */
enum ticket_age ticket_keys_find(const struct ticket_keys *keys,
                                 const unsigned char name[TICKET_KEY_NAME_BYTES],
                                 struct ticket_key *out) MUST_CHECK;

#endif
