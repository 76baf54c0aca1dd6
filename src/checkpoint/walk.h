/*
 * The walk through a file, what is in it, and what is in that: archives, pickles, texts that are
 * handed to loaders. There is no recursion: what is being taken apart stands on a stack of frames,
 * each of which gives its parts one after another. The stack is no deeper than the limit on
 * nesting, with few frames a level.
 */
#ifndef SFT_SRC_CHECKPOINT_WALK_H
#define SFT_SRC_CHECKPOINT_WALK_H

#include <sft/base.h>
#include <sft/scan.h>

#include "checkpoint/detect.h"
#include "checkpoint/findings.h"
#include "checkpoint/region.h"
#include "pickle/policy.h"

/* What bytes are read as. */
typedef enum sft_view {
    SFT_VIEW_FILE, /* all that they could be to a loader */
    SFT_VIEW_PICKLES,
    SFT_VIEW_ZIP,
    SFT_VIEW_TAR,
    SFT_VIEW_GZIP,
    SFT_VIEW_ZLIB,
    SFT_VIEW_DEFLATE,
    SFT_VIEW_NPY,
    SFT_VIEW_SAFETENSORS,
    SFT_VIEW_TAR_STORAGES, /* of torch's tar: pickles, and the bytes of a storage behind each */
    SFT_VIEW_TAR_TENSORS   /* the same with shapes and strides */
} sft_view;

/* What is known of them from outside. Decides what it means if they are not what they look like. */
typedef enum sft_expect {
    SFT_EXPECT_DATA,   /* nothing: the bytes of a tensor, say. A pickle counts for what it calls */
    SFT_EXPECT_MEMBER, /* a file in an archive. The same; but archives must be sound */
    SFT_EXPECT_PICKLE, /* its name says so, or a loader reads it so: it must be one */
    SFT_EXPECT_LOADED, /* a loader gets it as a file: it must be something */
    SFT_EXPECT_FILE    /* the file that is scanned, or what that unpacks to */
} sft_expect;

/* Something to be looked at. */
typedef struct sft_item {
    sft_region region;
    uint64_t base; /* where the region begins in its member, for people */
    sft_view view;
    sft_expect expect;
    uint32_t depth;            /* archives and pickles around it */
    bool made;                 /* its bytes are made by unpacking: going back costs */
    const struct sft_zip *zip; /* of torch's data.pkl: where its storages are; else NULL */
    bool enclosed; /* of a zip: it lies within the texts of a pickle which is walked too */
    sft_place *place;
} sft_item;

typedef struct sft_walk sft_walk;

/* Something that is being taken apart. Kinds of frames begin with this. */
typedef struct sft_frame {
    struct sft_frame *below;
    uint64_t size; /* bytes of the kind's struct */
    sft_item item;
    sft_sources sources; /* what its current part needs: gone before the next one */
    /* Gives the next part; *found is false at the end. */
    sft_status (*next)(sft_walk *walk, struct sft_frame *frame, sft_item *part, bool *found,
                       sft_error *error);
    void (*end)(sft_walk *walk, struct sft_frame *frame); /* or NULL */
} sft_frame;

/* The file itself as all of the walk reads it: tells progress, and remembers what went wrong. */
typedef struct sft_root {
    sft_region file;
    sft_source source;
    bool (*progress)(void *context, uint64_t done, uint64_t total);
    void *progress_context;
    uint64_t done;
    uint64_t told;
    sft_status status; /* of the first read that failed; SFT_CANCELLED */
    sft_error error;
} sft_root;

struct sft_walk {
    sft_allocator given;     /* the caller's */
    sft_allocator allocator; /* the same, that remembers a failure */
    sft_scan_limits limits;  /* with defaults filled in */
    sft_policy policy;
    sft_root root;
    sft_findings *findings;
    sft_frame *top;
    sft_format format;  /* of the file */
    sft_format outer;   /* the same, whatever is in it */
    bool is_cut;        /* a compressed file whose content is not known to its end */
    uint64_t unpack;    /* bytes that may yet be unpacked */
    uint64_t checksums; /* of these, for no more than checksums */
    bool short_sums;    /* of stored members only the short ones are held against their checksums */
    bool unpack_over;   /* a read was refused for that */
    bool out_of_memory; /* whoever noticed it */
};

/* What one compressed member may unpack to, where the caller sets no other limit. */
#define SFT_SCAN_INFLATED (UINT64_C(64) << 30)

/*
 * The walk's allocator over the caller's. Some of those who look into files can only say that there
 * is nothing, not that they had no memory to look: a walk in which any allocation failed has no
 * verdict.
 */
void sft_walk_use_allocator(sft_walk *walk, const sft_allocator *given);

/* Looks at one file. What is found goes to walk->findings. SFT_NO_MEMORY, SFT_READ_FAILED,
 * SFT_FILE_SHRANK, SFT_CANCELLED. */
sft_status sft_walk_run(sft_walk *walk, sft_error *error);

/* A region over the file that the walk is given; in walk_root.c. */
void sft_root_begin(sft_root *root, const sft_region *file, const sft_scan_options *options);
sft_region sft_root_region(const sft_root *root);

/* Notes bytes that were read past the root's source; false where the scan was cancelled. */
bool sft_root_passed(sft_root *root, uint64_t bytes);

/* Says that all of the file has been looked at. */
void sft_root_end(sft_root *root);

/*
 * What a failed read means: SFT_OK where the file could be read and the bytes in it are damaged
 * (or too many: *limit), else the status that ends the walk.
 */
sft_status sft_walk_explain(sft_walk *walk, sft_status status, bool *limit, sft_error *error);

/* A frame of a kind, on top of the stack; NULL where there is no memory. */
sft_frame *sft_walk_push(sft_walk *walk, uint64_t size, const sft_item *item);

/* ---- findings ---- */

/* Adds a finding about an item. The finding's byte is in the item's region; its member is that of
 * the region unless it has one. */
sft_status sft_walk_find(sft_walk *walk, const sft_item *item, sft_finding finding,
                         sft_error *error);

/* One that consists of a sentence. */
sft_status sft_walk_say(sft_walk *walk, const sft_item *item, sft_severity severity,
                        const char *code, uint64_t byte, const char *detail, sft_error *error);

/* For what could not be read to its end: BROKEN, or LIMIT, or nothing where nothing was expected.
 */
sft_status sft_walk_say_broken(sft_walk *walk, const sft_item *item, sft_status status,
                               sft_error *failure, sft_error *error);

/* The file's format, where the item is the file. */
void sft_walk_format(sft_walk *walk, const sft_item *item, sft_format format);

/* Whether nothing is said about an item that is not what it looks like. */
static inline bool sft_item_is_data(const sft_item *item) {
    return item->expect == SFT_EXPECT_DATA;
}

/* ---- the ways to look at an item; each may push one frame ---- */

sft_status sft_walk_item(sft_walk *walk, const sft_item *item, sft_error *error);
sft_status sft_walk_pickles(sft_walk *walk, const sft_item *item, sft_error *error);
sft_status sft_walk_zip(sft_walk *walk, const sft_item *item, sft_error *error);
sft_status sft_walk_tar(sft_walk *walk, const sft_item *item, sft_error *error);
sft_status sft_walk_packed(sft_walk *walk, const sft_item *item, sft_error *error);
sft_status sft_walk_npy(sft_walk *walk, const sft_item *item, sft_error *error);
sft_status sft_walk_safetensors(sft_walk *walk, const sft_item *item, sft_error *error);

/* What a member of an archive is expected to be, by its name. */
sft_expect sft_walk_role(const char *name, size_t length);

/* ---- parts that are known beforehand; walk_list.c ---- */

/* A part of the region of the frame's item, or bytes in memory. */
typedef struct sft_part {
    uint64_t offset;
    uint64_t size;
    const char *bytes; /* NULL: in the region */
    sft_place *place;  /* its own, or NULL: that of the item */
    sft_view view;
    sft_expect expect;
    bool is_text;   /* has a name of its own: a text of a pickle */
    bool is_latin1; /* each character is one byte */
    bool is_packed; /* `size` is that of what the region unpacks to */
    bool is_damaged;
    bool is_enclosed;
    bool is_deeper; /* stands one level deeper than the item */
    sft_packing packing;
    uint64_t at; /* of the call that a text is handed to */
} sft_part;

typedef struct sft_list {
    sft_frame frame;
    sft_arena arena; /* texts */
    sft_part *parts;
    uint64_t count, capacity;
    uint64_t next;
} sft_list;

/* An empty list on top of the stack, or NULL. */
sft_list *sft_list_push(sft_walk *walk, const sft_item *item);
sft_status sft_list_add(sft_walk *walk, sft_list *list, const sft_part *part, sft_error *error);

/* ---- unpacked regions; walk_packed.c ---- */

/*
 * What a region unpacks to, counted against what the walk may unpack. Not `exact`: whatever is
 * behind the last byte.
 */
sft_status sft_walk_unpack(sft_walk *walk, sft_sources *sources, const sft_region *packed,
                           sft_packing packing, uint64_t size, bool exact, sft_region *unpacked,
                           sft_error *error);

/*
 * Puts the bytes of an item into memory, where going back in them costs and they are at most
 * `most`. Damaged ones stay as they are. SFT_NO_MEMORY, and what ends the walk.
 */
sft_status sft_walk_settle(sft_walk *walk, sft_arena *arena, uint64_t most, sft_item *item,
                           sft_error *error);

#endif
