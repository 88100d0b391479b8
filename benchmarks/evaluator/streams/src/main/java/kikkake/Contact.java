package kikkake;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;

/** A contact's state: the address, the cart and its product, and when its timer is due (NONE: there is no timer). */
record Contact(long due, String email, String cart, String product) {
    static final long NONE = Long.MAX_VALUE;
    static final Contact NEW = new Contact(NONE, "", "", "");

    /** Binary, by hand: no serde that Kafka Streams could be given is quicker. */
    static Serde<Contact> serde() {
        return Serdes.serdeFrom((topic, contact) -> contact == null ? null : contact.write(), (topic, bytes) -> read(bytes));
    }

    Contact due(long at) {
        return new Contact(at, email, cart, product);
    }

    private byte[] write() {
        byte[] address = email.getBytes(StandardCharsets.UTF_8);
        byte[] id = cart.getBytes(StandardCharsets.UTF_8);
        byte[] name = product.getBytes(StandardCharsets.UTF_8);
        ByteBuffer out = ByteBuffer.allocate(Long.BYTES + 3 * Short.BYTES + address.length + id.length + name.length);
        out.putLong(due);
        for (byte[] text : new byte[][] {address, id, name}) {
            out.putShort((short) text.length).put(text);
        }
        return out.array();
    }

    private static Contact read(byte[] bytes) {
        if (bytes == null) {
            return null;
        }
        ByteBuffer in = ByteBuffer.wrap(bytes);
        return new Contact(in.getLong(), text(in), text(in), text(in));
    }

    private static String text(ByteBuffer in) {
        int length = in.getShort();
        String text = new String(in.array(), in.position(), length, StandardCharsets.UTF_8);
        in.position(in.position() + length);
        return text;
    }
}
