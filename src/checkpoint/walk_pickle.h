/* Reading the pickles of one region in the course of a walk. */
#ifndef SFT_SRC_CHECKPOINT_WALK_PICKLE_H
#define SFT_SRC_CHECKPOINT_WALK_PICKLE_H

#include <sft/base.h>

#include "checkpoint/joblib.h"
#include "checkpoint/walk.h"
#include "pickle/judge.h"
#include "pickle/machine.h"

/* A pickle of objects that joblib has put into another pickle. */
typedef struct sft_raw_pickle {
    uint64_t offset;
    uint64_t size;
} sft_raw_pickle;

/* What is kept of a pickle when it is freed. */
typedef struct sft_ending {
    sft_pickle_end end;
    sft_status damage; /* why it could not be read on, where it is packed */
    uint64_t start;
    uint64_t position;
    uint8_t opcode;
    const char *what;
    bool is_other;  /* it was no pickle */
    bool is_number; /* its result */
    bool is_joblib;
    uint64_t count;     /* the result, where it is a number */
    uint32_t item_size; /* where the result's third item is a class of storages */
} sft_ending;

/* What torch's legacy container has said of itself. */
typedef struct sft_legacy_end {
    bool recognized;
    uint64_t pickles;
    uint64_t end; /* of the storages */
    sft_status broken;
    sft_error failure;
} sft_legacy_end;

typedef struct sft_reading {
    sft_walk *walk;
    sft_list *list; /* what is to be looked at behind this */
    const sft_item *item;
    sft_pickle_input input;
    sft_pickle pickle;
    bool is_nested;      /* nobody expects a pickle here: see sft_expect */
    bool nested_said;    /* and it was told that there is one */
    uint64_t part_count; /* pickles in a member of torch's tar that are followed by bytes */
    bool is_filled;      /* the pickles go to the region's end */
    bool only_calls;     /* of the effects only imports and calls count */
    uint64_t from;       /* and only those from here on */
    sft_joblib joblib;
    uint64_t raw_from;   /* where the first raw bytes of joblib begin */
    sft_raw_pickle *raw; /* in the order of the region */
    uint64_t raw_count, raw_capacity;
    uint64_t placed;     /* of these, that have their place among the findings */
    unsigned char *seen; /* a bit for each text that was handed to a loader */
    uint64_t seen_size;
    sft_status damage; /* of the last read, and why */
    sft_error failure;
    sft_status status; /* of a callback */
    sft_error *error;
} sft_reading;

/* Puts a list for what is found on top of the stack. sft_reading_end() if that is SFT_OK. */
sft_status sft_reading_begin(sft_reading *r, sft_walk *walk, const sft_item *item,
                             sft_error *error);
void sft_reading_end(sft_reading *r);

/* Tells of storages of torch's zip that have other sizes than the pickle says. SFT_NO_MEMORY. */
sft_status sft_check_storages(sft_reading *r);

/* Adds something to be looked at behind the pickles, whose findings come here. */
sft_status sft_reading_add(sft_reading *r, sft_part *part);

/* What the machine may take for one pickle. */
sft_pickle_options sft_reading_options(const sft_reading *r);

sft_status sft_say_trailing(sft_reading *r, uint64_t at);

/* ---- torch's legacy container: see walk_legacy.c ---- */

/* Finds out whether storages follow the pickles, and where they end. */
sft_status sft_read_legacy(sft_reading *r, sft_legacy_end *legacy);

/* Behind the last storage nothing may follow; what does is looked at all the same. */
sft_status sft_end_legacy(sft_reading *r, const sft_legacy_end *legacy);

/* ---- members of torch's tar: see walk_tar_part.c ---- */

/* Fills in what a pickle says of the bytes behind it. */
void sft_ending_of_part(const sft_pickle *pickle, sft_ending *ending);

/* Goes past the bytes behind pickle `number`. SFT_NO_MEMORY. */
sft_status sft_skip_in_part(sft_reading *r, uint64_t number, sft_ending *ending);

#endif
