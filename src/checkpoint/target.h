/* What the files of a result are called, and where they go. */
#ifndef SFT_SRC_CHECKPOINT_TARGET_H
#define SFT_SRC_CHECKPOINT_TARGET_H

#include <sft/base.h>

#include "base/arena.h"

typedef struct sft_target_request {
    const char *source; /* the file; of a sharded source its folder, with a slash, or "" */
    bool sharded;       /* the source is a model of several files */
    const char *target; /* as the caller gave it, or NULL */
    bool by_size;       /* the result is split by size, if it is so large */
    bool indexed;       /* the result gets an index, be it one file */
    uint64_t files;
} sft_target_request;

typedef struct sft_target {
    const char **files; /* paths */
    uint64_t count;
    const char *index;  /* path, or NULL */
    const char *folder; /* to be made first, or NULL */
} sft_target;

/*
 * Finds the names. Nothing is made or changed. SFT_NOT_A_FILE where a folder is needed and the
 * target is none; SFT_NO_MEMORY.
 */
sft_status sft_target_find(const sft_target_request *request, sft_arena *arena, sft_target *target,
                           sft_error *error);

/* SFT_ALREADY_EXISTS if one of the files, or the index, is there. */
sft_status sft_target_check_free(const sft_target *target, sft_error *error);

/* A path's last part without the endings that checkpoints have: "model" of "a/model.pth.tar". */
const char *sft_target_stem(const char *path, sft_arena *arena);

#endif
