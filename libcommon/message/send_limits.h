#ifndef SKEIN_MESSAGE_SEND_LIMITS_H
#define SKEIN_MESSAGE_SEND_LIMITS_H

/* A send (contract section 3): the gateway passes on none that is over these limits, and im takes none. */

#define MENTIONS_MAX 50
#define FORWARD_MAX 100 /* messages that one forward is made of */
#define EXPIRE_MAX_S 604800 /* 7 days */

#endif
