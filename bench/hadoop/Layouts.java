import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.nio.file.Files;
import java.security.MessageDigest;
import java.util.Arrays;

import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.io.BytesWritable;
import org.apache.hadoop.io.MapFile;
import org.apache.hadoop.io.SequenceFile;
import org.apache.hadoop.io.Text;
import org.apache.hadoop.tools.HadoopArchives;
import org.apache.hadoop.util.ToolRunner;

/**
 * MapFile and HAR as Hadoop's own classes write and read them, in a JVM that is told what to do line by line: words
 * with tabs between them. A line is answered by lines "milliseconds, name, SHA-256", one for each image read; then by
 * "bench: done", as bench/workers.py awaits it. The digest is taken within the time, for the archive's reader takes it too.
 *
 * Compiled at its start by Janino, which comes with PySpark, so that no JDK is needed: no lambdas, no try with resources.
 */
public class Layouts {
    private static final Configuration conf = new Configuration();

    public static void main(String[] args) throws Exception {
        conf.set("dfs.blocksize", args[0]);
        conf.set("har.block.size", args[0]);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        done();
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] words = line.split("\t");
            run(words[0], (String[]) Arrays.copyOfRange(words, 1, words.length));
            done();
        }
    }

    private static void done() {
        System.out.println("bench: done");
    }

    private static void run(String word, String[] told) throws Exception {
        if (word.equals("map-write")) {
            writeMap(new File(told[0]), new Path(told[1]));
        } else if (word.equals("map-whole")) {
            readMap(new Path(told[0]));
        } else if (word.equals("map-images")) {
            getFromMap(new Path(told[0]), (String[]) Arrays.copyOfRange(told, 1, told.length));
        } else if (word.equals("har-write")) {
            archive(told);
        } else if (word.equals("har-whole")) {
            readHar(new Path(told[0]));
        } else if (word.equals("har-images")) {
            openInHar(new Path(told[0]), (String[]) Arrays.copyOfRange(told, 1, told.length));
        } else {
            throw new IllegalArgumentException(word);
        }
    }

    // ---- MapFile: sorted keys, an index of every 128th

    private static void writeMap(File folder, Path to) throws Exception {
        String[] names = folder.list();
        Arrays.sort(names);
        MapFile.Writer writer = new MapFile.Writer(conf, to,
            MapFile.Writer.keyClass(Text.class), MapFile.Writer.valueClass(BytesWritable.class),
            MapFile.Writer.compression(SequenceFile.CompressionType.NONE));
        for (int n = 0; n < names.length; n++) {
            byte[] data = Files.readAllBytes(new File(folder, names[n]).toPath());
            sha256(data, data.length);
            writer.append(new Text(names[n]), new BytesWritable(data));
        }
        writer.close();
    }

    private static void readMap(Path from) throws Exception {
        long began = System.nanoTime();
        MapFile.Reader reader = new MapFile.Reader(from, conf);
        Text key = new Text();
        BytesWritable value = new BytesWritable();
        while (reader.next(key, value)) {
            tell(began, key.toString(), sha256(value.getBytes(), value.getLength()));
            began = System.nanoTime();
        }
        reader.close();
    }

    private static void getFromMap(Path from, String[] names) throws Exception {
        MapFile.Reader reader = new MapFile.Reader(from, conf);
        reader.midKey(); // reads the index
        for (int n = 0; n < names.length; n++) {
            long began = System.nanoTime();
            BytesWritable value = (BytesWritable) reader.get(new Text(names[n]), new BytesWritable());
            tell(began, names[n], sha256(value.getBytes(), value.getLength()));
        }
        reader.close();
    }

    // ---- HAR: a MapReduce job writes it

    private static void archive(String[] arguments) throws Exception {
        int code = ToolRunner.run(new HadoopArchives(conf), arguments);
        if (code != 0) {
            throw new IllegalStateException("hadoop archive ended with " + code);
        }
    }

    private static void readHar(Path folder) throws Exception {
        long began = System.nanoTime();
        FileSystem files = folder.getFileSystem(conf);
        FileStatus[] found = files.listStatus(folder);
        for (int n = 0; n < found.length; n++) {
            byte[] data = read(files, found[n].getPath());
            tell(began, found[n].getPath().getName(), sha256(data, data.length));
            began = System.nanoTime();
        }
    }

    private static void openInHar(Path folder, String[] names) throws Exception {
        FileSystem files = folder.getFileSystem(conf);
        files.getFileStatus(folder); // reads the index
        for (int n = 0; n < names.length; n++) {
            long began = System.nanoTime();
            byte[] data = read(files, new Path(folder, names[n]));
            tell(began, names[n], sha256(data, data.length));
        }
    }

    private static byte[] read(FileSystem files, Path path) throws Exception {
        byte[] data = new byte[(int) files.getFileStatus(path).getLen()];
        FSDataInputStream in = files.open(path);
        in.readFully(data);
        in.close();
        return data;
    }

    // ----

    private static byte[] sha256(byte[] data, int length) throws Exception {
        MessageDigest digest = MessageDigest.getInstance("SHA-256");
        digest.update(data, 0, length);
        return digest.digest();
    }

    private static void tell(long began, String name, byte[] digest) {
        double taken = (System.nanoTime() - began) / 1e6;
        StringBuilder hex = new StringBuilder();
        for (int n = 0; n < digest.length; n++) {
            hex.append(String.format("%02x", new Object[] {Byte.valueOf(digest[n])}));
        }
        System.out.println(taken + "\t" + name + "\t" + hex);
    }
}
