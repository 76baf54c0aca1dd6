/* Scanning, for those within the library who have the file open already. */
#ifndef SFT_SRC_CHECKPOINT_SCAN_H
#define SFT_SRC_CHECKPOINT_SCAN_H

#include <sft/scan.h>

#include "checkpoint/detect.h"
#include "checkpoint/region.h"

/* Scans a region as a file of its own. Returns as sft_scan() does. */
sft_status sft_scan_region(const sft_region *region, const sft_scan_options *options,
                           sft_scan_result **result, sft_error *error);

/*
 * The same, but for the checksums of long stored members, of which no verdict depends: reading them
 * takes as long as copying them.
 */
sft_status sft_scan_before_copy(const sft_region *region, const sft_scan_options *options,
                                sft_scan_result **result, sft_error *error);

/* Checks a caller's options (or NULL), and takes them over into *known, which has the defaults.
 * SFT_INVALID_ARGUMENT. */
sft_status sft_scan_check(const sft_scan_options *given, sft_scan_options *known, sft_error *error);

sft_format sft_scan_result_format(const sft_scan_result *result);

#endif
