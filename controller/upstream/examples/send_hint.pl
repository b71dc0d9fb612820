# Sends one import maximum: perl send_hint.pl /run/firebreak/hints.sock KEYFILE SOURCE WATTS SECONDS
use strict;
use warnings;
use Digest::SHA qw(hmac_sha256);
use Socket;

my ($path, $key_file, $source, $watts, $seconds) = @ARGV;
open(my $file, '<', $key_file) or die "$key_file: $!\n";
chomp(my $hex = <$file>);
my $key = pack('H*', $hex);

socket(my $link, AF_UNIX, SOCK_DGRAM, 0) or die "socket: $!\n";
bind($link, pack('S', AF_UNIX)) or die "bind: $!\n";    # an abstract address: the controller answers to no other
connect($link, sockaddr_un($path)) or die "$path: $!\n";
setsockopt($link, SOL_SOCKET, SO_RCVTIMEO, pack('l!l!', 2, 0)) or die "setsockopt: $!\n";

sub receive {
    my ($data) = @_;
    defined(recv($link, $data, 256, 0)) or die "no answer: $!\n";
    return $data;
}

defined(send($link, pack('a4 a16', 'FBQ1', $source), 0)) or die "send: $!\n";
my (undef, $nonce, $uptime_ms, $sequence) = unpack('a4 a8 Q< Q<', receive());

my $hint = pack('a4 a16 a8 Q< Q< C C S< l< L<', 'FBH1', $source, $nonce, $sequence + 1, $uptime_ms, 3, 4, 0,
    $watts, $seconds * 1000);
defined(send($link, $hint . hmac_sha256($hint, $key), 0)) or die "send: $!\n";

my $reply = receive();
my $signed = substr($reply, 0, -32);
die "the reply is not from the controller\n" if hmac_sha256($signed, $key) ne substr($reply, -32);
my @field = unpack('a4 a16 a8 Q< Q< S< C C l< l< L< l< l< l< S< S< l< S<', $signed);
print "H$field[5]: in force $field[9] W for $field[10] ms, available $field[12] .. $field[13] W, ",
    "now $field[16] W (R$field[17])\n";
exit($field[5] > 10);
