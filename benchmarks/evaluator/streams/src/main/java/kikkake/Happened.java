package kikkake;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.io.UncheckedIOException;

/** What the job needs of an event, read by Jackson's streaming parser; everything else is skipped, never built. */
record Happened(String name, String cart, String product, String email) {
    private static final JsonFactory FACTORY = new JsonFactory();

    static Happened read(byte[] json) {
        String name = null;
        String cart = null;
        String product = null;
        String email = null;
        try (JsonParser parser = FACTORY.createParser(json)) {
            parser.nextToken();
            while (parser.nextToken() == JsonToken.FIELD_NAME) {
                String field = parser.currentName();
                JsonToken value = parser.nextToken();
                if (field.equals("name")) {
                    name = parser.getText();
                } else if (field.equals("properties")) {
                    while (parser.nextToken() == JsonToken.FIELD_NAME) {
                        String property = parser.currentName();
                        parser.nextToken();
                        if (property.equals("cart_id")) {
                            cart = parser.getText();
                        } else if (property.equals("name")) {
                            product = parser.getText();
                        } else {
                            parser.skipChildren();
                        }
                    }
                } else if (field.equals("traits")) {
                    while (parser.nextToken() == JsonToken.FIELD_NAME) {
                        String trait = parser.currentName();
                        parser.nextToken();
                        if (trait.equals("email")) {
                            email = parser.getText();
                        } else {
                            parser.skipChildren();
                        }
                    }
                } else if (value.isStructStart()) {
                    parser.skipChildren();
                }
            }
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
        return new Happened(name, cart, product, email);
    }
}
