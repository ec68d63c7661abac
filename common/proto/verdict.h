/* What a decoder says of bytes from a peer. */
#ifndef PEAL_PROTO_VERDICT_H
#define PEAL_PROTO_VERDICT_H

enum verdict {
    VERDICT_OK,   /* a whole unit was read */
    VERDICT_MORE, /* well-formed so far, incomplete */
    VERDICT_BAD,  /* can never become well-formed; a reason is given beside it */
};

#endif
