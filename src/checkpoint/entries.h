/* What a value of a pickle holds: keys and values, as Python would have them in the end. */
#ifndef SFT_SRC_CHECKPOINT_ENTRIES_H
#define SFT_SRC_CHECKPOINT_ENTRIES_H

#include <sft/base.h>

#include "base/arena.h"
#include "checkpoint/finder.h"

typedef enum sft_holder {
    SFT_HOLDS_NOTHING,
    SFT_HOLDS_PAIRS,   /* a mapping */
    SFT_HOLDS_ROW,     /* a list or tuple, whose keys are positions */
    SFT_HOLDS_STATE,   /* an object whose attributes are walked */
    SFT_HOLDS_FILE,    /* a file of torch's in a text */
    SFT_HOLDS_OBJECTS, /* an array of Python objects */
    SFT_HOLDS_PARTS    /* a record: what is in it is dropped with it */
} sft_holder;

/* Begins as sft_named does. */
typedef struct sft_entry {
    const char *key; /* alike for keys that Python takes for equal; NULL: `position` */
    size_t key_length;
    uint8_t skip; /* bytes in front of it that are no part of the name */
    bool has_key;
    bool unnamed; /* the key is neither a text nor a whole number */
    sft_ref value;
    uint64_t position;
} sft_entry;

typedef struct sft_entries {
    sft_scope *scope;
    sft_arena *keys; /* where texts of keys go that are not there as they are */
    sft_entry *items;
    uint64_t count;
    uint64_t capacity;
    uint64_t next;
    uint64_t work;   /* keys and values that were looked at, those that were replaced too */
    uint32_t link;   /* of a row: its next value */
    bool positioned; /* of a row: its keys are positions */
    sft_names names; /* once there are many */
    bool named;
} sft_entries;

/* What an OBJECT that is no tensor holds. */
sft_holder sft_holder_of(const sft_scope *scope, sft_ref ref);

/* Lists what a value holds. SFT_NO_MEMORY, SFT_READ_FAILED… sft_entries_free() in any case. */
sft_status sft_entries_of(sft_entries *entries, sft_scope *scope, sft_arena *keys, sft_ref ref,
                          sft_holder holder);
/* One value without a key. */
sft_status sft_entries_lone(sft_entries *entries, sft_scope *scope, sft_ref ref);

/* The next one; false at the end. */
bool sft_entries_next(sft_entries *entries, sft_entry *entry);

void sft_entries_free(sft_entries *entries);

#endif
