# Sends one import maximum: perl send_hint.pl /run/firebreak/hints.sock KEYFILE SOURCE WATTS SECONDS
use strict;
use warnings;
use Digest::SHA qw(hmac_sha256);
use Errno qw(EAGAIN);
use Socket;

sub fail { print STDERR @_, "\n"; exit 1 }

my ($path, $key_file, $source, $watts, $seconds) = @ARGV;
@ARGV == 5 && "$watts $seconds" =~ /^\d+ \d+$/
    or fail('perl send_hint.pl /run/firebreak/hints.sock KEYFILE SOURCE WATTS SECONDS');
open(my $file, '<', $key_file) or fail("$key_file: $!");
my $hex = <$file> // '';
$hex =~ /^([0-9a-fA-F]{64})\s*$/ or fail("$key_file: allowed are 64 hex digits");
my $key = pack('H*', $1);

socket(my $link, AF_UNIX, SOCK_DGRAM, 0) or fail("socket: $!");
bind($link, pack('S', AF_UNIX)) or fail("bind: $!");    # an abstract address: the controller answers to no other
my $controller = sockaddr_un($path);
setsockopt($link, SOL_SOCKET, $_, pack('l!l!', 2, 0)) or fail("setsockopt: $!") for SO_SNDTIMEO, SO_RCVTIMEO;

sub post {
    my ($data) = @_;
    defined(send($link, $data, 0, $controller)) or fail("$path: $!; does the controller run?");
}

sub receive {
    my ($data) = @_;
    defined(recv($link, $data, 256, 0)) or fail('no answer came: ',
        $! == EAGAIN ? 'is the source known, the key right? firebreak sources counts both' : $!);
    return $data;
}

post(pack('a4 a16', 'FBQ1', $source));
my (undef, $nonce, $uptime_ms, $sequence) = unpack('a4 a8 Q< Q<', receive());

my $hint = pack('a4 a16 a8 Q< Q< C C S< l< L<', 'FBH1', $source, $nonce, $sequence + 1, $uptime_ms, 3, 4, 0,
    $watts, $seconds * 1000);
post($hint . hmac_sha256($hint, $key));

my $reply = receive();
my $signed = substr($reply, 0, -32);
fail('the reply is not from the controller') if hmac_sha256($signed, $key) ne substr($reply, -32);
my @field = unpack('a4 a16 a8 Q< Q< S< C C l< l< L< l< l< l< S< S< l< S<', $signed);
print "H$field[5]: in force $field[9] W for $field[10] ms, available $field[12] .. $field[13] W, ",
    "now $field[16] W (R$field[17])\n";
exit($field[5] > 10);
