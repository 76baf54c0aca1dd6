/*
 * checkpoint SOURCE TARGET - makes a safetensors file of a checkpoint of another format, or tells
 * what speaks against it. Nothing in the checkpoint is executed.
 */
#include <inttypes.h>
#include <sft.h>
#include <stdio.h>

/* What the scan found: its texts are escaped already. */
static void tell(const sft_scan_result *scan) {
    printf("%s\n", sft_verdict_name(sft_scan_verdict(scan)));
    for (uint64_t i = 0; i < sft_scan_count(scan); i++) {
        const sft_finding *finding = sft_scan_at(scan, i);
        printf("%s: %s\n", finding->where, finding->detail);
    }
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: checkpoint SOURCE TARGET\n");
        return 64;
    }
    sft_error error;
    sft_conversion *conversion = NULL;
    sft_convert_options options = SFT_CONVERT_OPTIONS;
    options.keep_existing = true;
    sft_status status = sft_convert(argv[1], argv[2], &options, &conversion, &error);
    if (conversion != NULL && sft_conversion_sources(conversion) > 0) {
        tell(sft_conversion_scan(conversion, 0));
    }
    if (status == SFT_OK) {
        printf("%" PRIu64 " tensors, %" PRIu64 " bytes; not in it: %" PRIu64 " values\n",
               sft_conversion_count(conversion), sft_conversion_bytes(conversion),
               sft_conversion_dropped_total(conversion));
    } else {
        char line[1024];
        sft_error_format(&error, line, sizeof line);
        fprintf(stderr, "checkpoint: %s\n", line);
    }
    sft_conversion_free(conversion);
    return status == SFT_OK ? 0 : 1;
}
