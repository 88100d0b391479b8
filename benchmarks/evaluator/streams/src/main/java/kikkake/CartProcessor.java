package kikkake;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.PriorityQueue;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.KeyValueStore;

/**
 * The cart job of one partition.
 *
 * <p>Timers are due times in the store, and beside it a heap of hints to them that is made again of the store when a task
 * begins: what is popped and no longer the contact's due time is passed over. A store of its own for timers, ordered by
 * time, would write two more records for each timer that is set anew.
 */
final class CartProcessor implements Processor<byte[], byte[], byte[], byte[]> {
    static final String STORE = "carts";
    private static final long WAIT = Duration.ofMinutes(45).toMillis();
    private static final Duration SWEEP = Duration.ofSeconds(1);
    private static final JsonFactory FACTORY = new JsonFactory();

    private record Hint(long due, Bytes contact) implements Comparable<Hint> {
        @Override
        public int compareTo(Hint other) {
            return Long.compare(due, other.due);
        }
    }

    private final PriorityQueue<Hint> hints = new PriorityQueue<>();
    private ProcessorContext<byte[], byte[]> context;
    private KeyValueStore<Bytes, Contact> store;

    @Override
    public void init(ProcessorContext<byte[], byte[]> given) {
        context = given;
        store = context.getStateStore(STORE);
        try (KeyValueIterator<Bytes, Contact> all = store.all()) {
            while (all.hasNext()) {
                KeyValue<Bytes, Contact> one = all.next();
                if (one.value.due() != Contact.NONE) {
                    hints.add(new Hint(one.value.due(), one.key));
                }
            }
        }
        context.schedule(SWEEP, PunctuationType.STREAM_TIME, this::fireUpTo);
    }

    @Override
    public void process(Record<byte[], byte[]> record) {
        Bytes key = Bytes.wrap(record.key());
        long now = record.timestamp();
        Happened event = Happened.read(record.value());
        Contact contact = store.get(key);
        if (contact == null) {
            contact = Contact.NEW;
        }
        if (contact.due() < now) {
            contact = fire(key, contact, now);
        }
        switch (event.name()) {
            case "Identified" -> store.put(key, new Contact(contact.due(), event.email(), contact.cart(), contact.product()));
            case "Product Added" ->
                set(key, new Contact(now + WAIT, contact.email(), event.cart(), event.product()));
            case "Product Viewed" -> {
                if (contact.due() != Contact.NONE) {
                    set(key, contact.due(now + WAIT));
                }
            }
            case "Order Completed" -> {
                if (contact.due() != Contact.NONE) {
                    store.put(key, contact.due(Contact.NONE));
                }
            }
            default -> { }
        }
    }

    private void set(Bytes key, Contact contact) {
        store.put(key, contact);
        hints.add(new Hint(contact.due(), key));
    }

    private void fireUpTo(long now) {
        for (Hint hint = hints.peek(); hint != null && hint.due() < now; hint = hints.peek()) {
            hints.poll();
            Contact contact = store.get(hint.contact());
            if (contact.due() == hint.due()) {
                fire(hint.contact(), contact, now);
            }
        }
    }

    private Contact fire(Bytes key, Contact contact, long now) {
        context.forward(new Record<>(key.get(), command(key, contact), now));
        Contact left = contact.due(Contact.NONE);
        store.put(key, left);
        return left;
    }

    private static byte[] command(Bytes key, Contact contact) {
        ByteArrayOutputStream out = new ByteArrayOutputStream(256);
        try (JsonGenerator json = FACTORY.createGenerator(out)) {
            json.writeStartObject();
            json.writeStringField("contact", new String(key.get(), StandardCharsets.UTF_8));
            json.writeStringField("cart", contact.cart());
            json.writeNumberField("due", contact.due());
            json.writeStringField("product", contact.product());
            json.writeStringField("email", contact.email());
            json.writeEndObject();
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
        return out.toByteArray();
    }
}
