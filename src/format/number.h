/* The grammar of a JSON number, and whether a double can hold it. */
#ifndef SFT_SRC_FORMAT_NUMBER_H
#define SFT_SRC_FORMAT_NUMBER_H

typedef enum sft_number_result {
    SFT_NUMBER_GOOD,
    SFT_NUMBER_MALFORMED,   /* *end is where a digit is missing */
    SFT_NUMBER_OUT_OF_RANGE /* well-formed, but above the largest double */
} sft_number_result;

/* Scans a number from its sign or first digit on; *end receives where it ends. */
sft_number_result sft_number_scan(const char *at, const char **end);

#endif
