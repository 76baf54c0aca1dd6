/* Tensors that are one and the same: one of them is written, the metadata tells of the others. */
#ifndef SFT_SRC_CHECKPOINT_TIES_H
#define SFT_SRC_CHECKPOINT_TIES_H

#include "checkpoint/plan.h"

/*
 * Keeps of all tensors with the same storage, offset, sizes, strides and dtype the one whose name
 * sorts first; the others become ties. Views that only overlap stay, each with bytes of its own.
 * SFT_NO_MEMORY.
 */
sft_status sft_plan_tie(sft_plan *plan, sft_error *error);

#endif
