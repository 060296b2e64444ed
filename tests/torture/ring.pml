/* The ring's protocol with every interleaving: a ring of 2 places, 2 laps (-DLAPS=3 gives 25 million states
 * and the same answer), one producer that may be killed between any two stores and is replaced, one reader.
 * Run by tests/torture/run-spin.
 *
 * A place holds a record or a pad, written in two halves; positions count places. A record's value tells its
 * sequence number and which producer wrote it, so a mixture of two, or the half-written record of a dead
 * producer, is seen. Kept as in shm/: intent before bytes and never lower, head before published, published
 * before next, next before indexed; a copy counts when cursor + capacity >= intent.
 *
 * Checked: no torn copy is accepted, none is out of sequence; a lapped reader's new sequence number is exact
 * at its new cursor; whatever was published when a producer was killed, its successor finds `next` equal to
 * the number of records (nothing lost, nothing doubled). Each -DBROKEN_… undoes one rule, and must be found. */

#define PLACES  2
#ifndef LAPS
#define LAPS 2
#endif
#define LAST    (LAPS * PLACES)
#define PAD     255
#define VALUE(sequence, producer) ((sequence) * 4 + (producer))
#define SEQUENCE_OF(value) ((value) / 4)

byte low[PLACES], high[PLACES];        /* a record's two halves */
byte intent, published, indexed;       /* the three words */
byte head_position[2], head_sequence[2];
byte next;                             /* of the one partition; a record's offset is its sequence - 1 */

byte true_sequence[LAST + PLACES + 1]; /* what the checks know: the sequence at each published position */
bool killed;                           /* the one crash; set by `killer` at any moment */
bool gone;                             /* the first producer has stopped, killed or not */

#ifdef BROKEN_RULE
#define OVERWRITTEN(at) (at + PLACES < published)
#else
#define OVERWRITTEN(at) (at + PLACES < intent)
#endif

inline put(value) {
#ifndef BROKEN_INTENT
    if
    :: head + 1 > intent -> intent = head + 1
    :: else
    fi;
#else
    intent = head + 1; /* lower after a restart */
#endif
    low[head % PLACES] = value;
    high[head % PLACES] = value;
    head++
}

inline redo(from) {
    at = from;
    do
    :: at < published ->
        if
        :: low[at % PLACES] != PAD -> next = SEQUENCE_OF(low[at % PLACES])
        :: else
        fi;
        at++
    :: else -> break
    od
}

inline publish() {
    turn = (head_position[0] == published -> 1 : 0);
    from = published;
#ifndef BROKEN_HEAD
    head_position[turn] = head;
    head_sequence[turn] = sequence;
#endif
#ifdef BROKEN_NEXT
    next = sequence;
#endif
    atomic { true_sequence[head] = sequence; published = head }
#ifdef BROKEN_HEAD
    head_position[turn] = head;
    head_sequence[turn] = sequence;
#endif
    redo(from);
    indexed = head
}

inline open_ring() {
    head = published;
    turn = (head_position[0] == published -> 0 : 1);
    assert(head_position[turn] == published);
    sequence = head_sequence[turn];
    assert(sequence == true_sequence[published]);
#ifndef BROKEN_REDO
    redo(indexed);
#endif
    indexed = published;
    assert(next == sequence)
}

inline produce(producer) {
    open_ring();
    do
    :: head < LAST ->
        if /* a batch: one record, two, or a pad and a record */
        :: sequence++; put(VALUE(sequence, producer))
        :: sequence++; put(VALUE(sequence, producer));
           sequence++; put(VALUE(sequence, producer))
        :: put(PAD); sequence++; put(VALUE(sequence, producer))
        fi;
        publish()
    :: break
    od
}

proctype first() {
    byte head, sequence, turn, at, from;
    { produce(1) } unless { killed };
    gone = true
}

proctype second() {
    byte head, sequence, turn, at, from;
    gone;
    produce(2)
}

proctype killer() {
    killed = true
}

inline lapped() {
    do
    :: p = published;
       turn = 0;
       do
       :: turn < 2 ->
          if
          :: head_position[turn] == p ->
             s = head_sequence[turn];
             if
             :: head_position[turn] == p -> break
             :: else
             fi
          :: else
          fi;
          turn++
       :: else -> break
       od;
       if
       :: turn < 2 -> break /* found */
       :: else -> /* both written over meanwhile: then published has moved */
          assert(published != p)
       fi
    od;
    assert(s == true_sequence[p]);
    assert(s >= mine && p >= cursor);
    cursor = p;
    mine = s
}

proctype reader() {
    byte cursor, mine, p, s, turn, l, h;
    do
    :: p = published;
       if
       :: p == cursor -> skip
       :: p != cursor && p - cursor > PLACES -> lapped()
       :: p != cursor && p - cursor <= PLACES ->
          l = low[cursor % PLACES];
          h = high[cursor % PLACES];
          if
          :: OVERWRITTEN(cursor) -> lapped()
          :: else ->
             assert(l == h); /* torn */
             if
             :: l != PAD -> mine++; assert(SEQUENCE_OF(l) == mine)
             :: else
             fi;
             cursor++
          fi
       fi
    :: break
    od
}

init {
    atomic { run first(); run second(); run killer(); run reader() }
}
