/* Whether a new file's header says what was planned. Its data is compared while it is moved. */
#ifndef SFT_SRC_CHECKPOINT_VERIFY_H
#define SFT_SRC_CHECKPOINT_VERIFY_H

#include "checkpoint/move.h"

/*
 * Reads the header back as any reader would, and holds each tensor's dtype, shape and place, and
 * each entry of the metadata, against the plan. SFT_VERIFY_FAILED, SFT_NO_MEMORY, SFT_READ_FAILED,
 * SFT_FILE_SHRANK.
 */
sft_status sft_verify_header(const sft_mover *mover, const sft_plan *plan, const char *path,
                             sft_error *error);

#endif
