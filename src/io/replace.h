/*
 * A new file that takes the place of its target in one step, when it is whole.
 *
 * It is made in the target's folder, without a name where the system allows, and
 * else as .NAME.<16 hex digits>.tmp. Until sft_replace_commit() the target is
 * untouched; sft_replace_abort() leaves nothing behind. Only the death of the
 * process can leave a temporary file there: the next sft_replace_begin() for the
 * same target removes it, and knows by a lock on it that nobody uses it any more.
 */
#ifndef SFT_SRC_IO_REPLACE_H
#define SFT_SRC_IO_REPLACE_H

#include <sft/base.h>

#include "io/os.h"

/* Room for a file name, in bytes. */
#define SFT_NAME_ROOM 1024

typedef struct sft_replace {
    int fd;              /* of the new file, to be written by the caller */
    bool exists;         /* there was a target when this began */
    sft_os_info target;  /* what it was, if so */
    int folder;          /* where both lie */
    bool folder_listed;  /* the folder can be listed and flushed */
    bool durable;        /* flush before success */
    bool keep_existing;  /* never replace */
    bool only_this;      /* set by a caller who has `target` open: replace nothing else */
    bool target_changed; /* only_this stopped the commit: another file stands there now */
    bool foreign;        /* the target, or a link to it, is a stranger's trap */
    bool has_temporary;  /* the new file is called `temporary` */
    bool folder_missing; /* the commit makes `missing`, in `folder`, and goes there */
    char missing[SFT_NAME_ROOM];
    char name[SFT_NAME_ROOM];
    char temporary[SFT_NAME_ROOM];
} sft_replace;

/*
 * Finds the target, through symbolic links, and makes the new file. Returns SFT_OK,
 * SFT_OPEN_FAILED, SFT_NOT_A_FILE or SFT_ALREADY_EXISTS; nothing is left to abort then.
 */
sft_status sft_replace_begin(sft_replace *replace, const char *path, bool durable,
                             bool keep_existing, sft_error *error);

/*
 * The same for a target in a folder that is not there yet. The commit makes it, so that until then
 * even the death of the process leaves nothing; only where files must have a name it is made at
 * once. The caller removes it after a failure, if it is empty.
 */
sft_status sft_replace_begin_in(sft_replace *replace, const char *folder, const char *name,
                                bool durable, bool keep_existing, sft_error *error);

/*
 * Gives the new file its name. Ends the replacement in any case: SFT_OK, SFT_ALREADY_EXISTS or
 * SFT_WRITE_FAILED.
 */
sft_status sft_replace_commit(sft_replace *replace, sft_error *error);

/* Gives the new file up. */
void sft_replace_abort(sft_replace *replace);

#endif
