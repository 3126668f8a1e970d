/*
 * SCP-ECG (EN 1064), inside the room: the sections of one record and what each reader leaves
 * for the next. docs/formats/ecg-scp.md tells the layout and what of it we read and write.
 *
 * A record is a CRC, its length, and sections that each begin with a 16-byte header (CRC, number,
 * length, version, protocol, six reserved bytes). Section 0 points to the others.
 */
#ifndef ECG_SCP_H
#define ECG_SCP_H

#include "ecg_inner.h"

#define SCP_SECTIONS      12 /* 0 … 11 are defined; further ones are the maker's own */
#define SCP_HEADER_BYTES  16
#define SCP_POINTER_BYTES 10
#define SCP_RECORD_BYTES  6 /* CRC and length before section 0 */
#define SCP_TAG_END       255
#define SCP_TABLE_DEFAULT 19999
#define SCP_RATIO_MAX     16 /* decimation outside the protected zones */
#define SCP_ALL_LEADS     (-1)

typedef struct ScpSection {
    bool present;
    size_t at; /* of the header in the record */
    Str body;  /* behind the header */
} ScpSection;

typedef struct ScpLead {
    uint32_t first, last; /* sample numbers, counted from 1 */
    size_t n;
    uint8_t id;
    bool from_zero; /* the file counts from 0 */
} ScpLead;

typedef struct Scp {
    Arena *arena;
    Err *err;
    Str bytes;
    ScpSection section[SCP_SECTIONS];
    size_t n_leads;
    ScpLead lead[ECG_LEADS_MAX];
    bool reference_used; /* section 3: a reference beat was subtracted */
} Scp;

/* Refuses with the section, lead (0 …, or SCP_ALL_LEADS) and field in front. */
#define ecg_scp_refuse(scp, section, lead, zh_field, en_field, ...)                                \
    ecg_scp_refuse_at((scp), ERR_UNPROCESSABLE, (section), (lead), (EcgField){zh_field, en_field}, \
                      __VA_ARGS__)
Status ecg_scp_refuse_at(const Scp *scp, Status status, int section, int lead, EcgField field,
                         const char *zh, const char *en, ...)
    __attribute__((format(printf, 6, 8), format(printf, 7, 8)));

/* CRC-CCITT (0x1021, from 0xFFFF) as the standard uses it. */
uint16_t ecg_scp_crc(Str s);

/* Section 1: patient, device, start. */
Status ecg_scp_read_header(const Scp *scp, EcgRecording *ret) MUST_USE;
/* Section 3: leads. */
Status ecg_scp_read_leads(Scp *scp) MUST_USE;
/* Sections 4, 5 and 6: samples of all leads. */
Status ecg_scp_read_rhythm(Scp *scp, EcgRecording *ret) MUST_USE;
/* The lead's name by its number in section 3; NULL where the standard has none. */
const char *ecg_scp_lead_name(uint8_t id);
/* The number of a standard lead, 0 where it has none. */
uint8_t ecg_scp_lead_id(Str name);

/* Section 2: how numbers are coded. */
typedef struct ScpCode {
    uint8_t prefix_bits, total_bits;
    bool is_switch; /* go on with table `value` */
    int16_t value;
    uint32_t prefix; /* first bit in the lowest place */
} ScpCode;

typedef struct ScpNode {
    int32_t next[2]; /* index of a node; -1: none */
    int32_t code;    /* index of the code that ends here; -1: none */
} ScpNode;

#define SCP_QUICK_BITS 10
/* What the next bits say where they hold a whole code. */
typedef struct ScpQuick {
    uint16_t code;
    uint8_t bits; /* 0: it is longer, or there is none */
} ScpQuick;

typedef struct ScpTable {
    const ScpCode *code;
    size_t n_codes;
    ScpNode *node; /* node 0 is the root */
    size_t n_nodes;
    ScpQuick *quick; /* by the next SCP_QUICK_BITS bits */
} ScpTable;

typedef struct ScpCoding {
    bool raw; /* no section 2: 16-bit numbers */
    size_t n_tables;
    ScpTable *table;
} ScpCoding;

extern const ScpCode ecg_scp_default_code[];
extern const size_t ecg_scp_default_codes;

Status ecg_scp_read_coding(const Scp *scp, ScpCoding *ret) MUST_USE;

/* Where a run of coded numbers stands, for errors and bounds. */
typedef struct ScpRun {
    int section, lead;
    Str bytes;
    uint8_t difference; /* 0: values, 1: first, 2: second differences */
} ScpRun;

/* Decodes exactly n numbers and undoes the differences; what is left over must be padding. */
Status ecg_scp_decode(const Scp *scp, const ScpCoding *coding, const ScpRun *run, int32_t *out,
                      size_t n) MUST_USE;

#endif
